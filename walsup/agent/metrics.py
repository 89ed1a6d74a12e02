"""Metrics: a collector over one snapshot, no gauge of its own. Pure.

Only what postgres_exporter and WAL-G's exporter do not have.
"""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from walsup import __version__
from walsup.agent import health
from walsup.agent.board import Snapshot

# name, type, what it says (README's table), value
Row = tuple[str, str, str, Callable[[Snapshot], float | None]]


def _of_lag(field: str) -> Callable[[Snapshot], float | None]:
    return lambda seen: getattr(seen.lag, field) if seen.lag.known else None


# fmt: off
METRICS: tuple[Row, ...] = (
    ("walsup_protected", "gauge",
     "1: gate open, base backup proven, no fault stands; of a standby: it follows.",
     health.protected),
    ("walsup_gate_open", "gauge",
     "1: the archive is confirmed as ours and WAL is let through.",
     lambda seen: seen.gate.state == "open"),
    ("walsup_lag_segments", "gauge",
     "Finished segments that are not yet seen in the bucket.", _of_lag("segments")),
    ("walsup_lag_bytes", "gauge",
     "WAL on the disk that is not yet seen in the bucket; 0 when idle.", _of_lag("bytes")),
    ("walsup_lag_seconds", "gauge",
     "Age of the oldest WAL not yet seen in the bucket; 0 when idle.", _of_lag("seconds")),
    ("walsup_proven_lsn_bytes", "gauge",
     "Everything before this LSN, since the claim, was seen in the bucket.",
     lambda seen: seen.lag.proven_lsn or None),
    ("walsup_ready_files", "gauge",
     "Files in pg_wal that wait for the archiver.", lambda seen: seen.waiting.ready),
    ("walsup_ready_oldest_seconds", "gauge",
     "Age of the oldest of them.", lambda seen: seen.waiting.oldest_age_s),
    ("walsup_wal_free_bytes", "gauge",
     "Free bytes in the file system of pg_wal.", lambda seen: seen.waiting.free_bytes or None),
    ("walsup_wal_full_seconds", "gauge",
     "Seconds until it is full at the present rate; only while archiving does not keep up.",
     lambda seen: seen.disk.full_in_s),
    ("walsup_wal_reserve_bytes", "gauge",
     "Put aside there for a start on a full disk.", lambda seen: seen.disk.reserve_bytes),
    ("walsup_backup_proven", "gauge",
     "1: a base backup and the WAL it needs are seen in the bucket.",
     lambda seen: seen.backup.state == "proven"),
    ("walsup_backup_attempts", "gauge",
     "Failed attempts at the initial base backup in this run.",
     lambda seen: seen.backup.attempts),
    ("walsup_standby_behind_bytes", "gauge",
     "How far a standby's replay is behind the end of the archive.",
     lambda seen: seen.standby.behind_bytes if seen.standby.phase == "following" else None),
    ("walsup_engine_restarts_total", "counter",
     "Deaths of the engine's daemon in this run.", lambda seen: seen.init.engine_restarts),
    ("walsup_agent_restarts_total", "counter",
     "Deaths of the agent in this run.", lambda seen: seen.init.agent_restarts),
)
# fmt: on
FAULT_METRIC = ("walsup_fault", "gauge", "1 for each standing fault, by subject and kind.")
BUILD_METRIC = ("walsup_build_info", "gauge", "1, with the version.")


def table() -> list[tuple[str, str, str]]:
    """Give name, type and meaning of every metric, for README."""
    rows = [(name, kind, says) for name, kind, says, _ in METRICS]
    return [*rows, FAULT_METRIC, BUILD_METRIC]


class _OneSnapshot(Collector):
    def __init__(self, seen: Snapshot) -> None:
        self._seen = seen

    def collect(self) -> Iterator[Metric]:
        for name, kind, says, value in METRICS:
            if (found := value(self._seen)) is not None:
                yield _metric((name, kind, says), [({}, float(found))])
        faults = [
            ({"subject": subject, "kind": standing.fault.kind}, 1.0)
            for subject, standing in self._seen.faults.items()
        ]
        yield _metric(FAULT_METRIC, faults)
        yield _metric(BUILD_METRIC, [({"version": __version__}, 1.0)])


def _metric(row: tuple[str, str, str], samples: Iterable[tuple[dict[str, str], float]]) -> Metric:
    name, kind, says = row
    family = Metric(name.removesuffix("_total"), says, kind)
    for labels, value in samples:
        family.add_sample(name, labels, value)
    return family


def render(seen: Snapshot) -> bytes:
    """Give `/metrics` in Prometheus's text form."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_OneSnapshot(seen))
    return generate_latest(registry)
