"""Metrics: one snapshot in Prometheus's text form, without its own state. Pure.

Only what postgres_exporter and WAL-G's exporter lack. The format is written here, in three lines:
prometheus_client would take 5 MB of the agent. Tests read it with that library and promtool.

Source: Prometheus, "Exposition formats", text format 0.0.4.
"""

from collections.abc import Callable, Iterator, Mapping

from walsup import __version__
from walsup.agent.http import health
from walsup.agent.snapshot import Snapshot
from walsup.agent.states import BackupState, GateState, StandbyPhase

# Name, type, meaning as in docs/reference/metrics.md, and the value.
Row = tuple[str, str, str, Callable[[Snapshot], float | None]]


def _of_lag(field: str) -> Callable[[Snapshot], float | None]:
    return lambda seen: getattr(seen.lag, field) if seen.lag.known else None


def _findings(snapshot: Snapshot) -> float:
    audit = snapshot.audit
    return audit.missing + audit.damaged + audit.unread + len(audit.unfit_backups)


# fmt: off
METRICS: tuple[Row, ...] = (
    ("walsup_protected", "gauge",
     "1: archiving is enabled, a base backup is verified, no fault is active; a standby replays.",
     health.protected),
    ("walsup_gate_open", "gauge",
     "1: archiving is enabled (this instance owns the archive and pushes WAL).",
     lambda seen: seen.gate.state == GateState.OPEN),
    ("walsup_lag_segments", "gauge",
     "Finished WAL segments on disk that are not yet verified in the bucket.", _of_lag("segments")),
    ("walsup_lag_bytes", "gauge",
     "Bytes of WAL on disk that are not yet verified in the bucket; 0 while the database is idle.",
     _of_lag("bytes")),
    ("walsup_lag_seconds", "gauge",
     "Age of the oldest WAL that is not yet verified in the bucket; 0 while the database is idle.",
     _of_lag("seconds")),
    ("walsup_proven_lsn_bytes", "gauge",
     "LSN up to which all WAL since the archive was claimed is verified in the bucket.",
     lambda seen: seen.lag.proven_lsn or None),
    ("walsup_ready_files", "gauge",
     "Files in pg_wal that wait for PostgreSQL's archiver (.ready).",
     lambda seen: seen.waiting.ready),
    ("walsup_ready_oldest_seconds", "gauge",
     "Age of the oldest .ready file in pg_wal.",
     lambda seen: seen.waiting.oldest_age_s),
    ("walsup_wal_free_bytes", "gauge",
     "Free bytes in pg_wal's file system.", lambda seen: seen.waiting.free_bytes or None),
    ("walsup_wal_full_seconds", "gauge",
     "Estimated seconds until pg_wal's file system is full; only while archiving does not keep up.",
     lambda seen: seen.disk.full_in_s),
    ("walsup_wal_reserve_bytes", "gauge",
     "Bytes reserved in pg_wal's file system for crash recovery on a full disk.",
     lambda seen: seen.disk.reserve_bytes),
    ("walsup_backup_proven", "gauge",
     "1: a base backup and its WAL are verified in the bucket, and the engine reads both.",
     lambda seen: seen.backup.state == BackupState.PROVEN),
    ("walsup_backup_attempts", "gauge",
     "Failed attempts at the initial base backup since the container's start.",
     lambda seen: seen.backup.attempts),
    ("walsup_audit_age_seconds", "gauge",
     "Time since the whole archive was last listed and compared.",
     lambda seen: seen.at - seen.audit.finished_at if seen.audit.finished_at else None),
    ("walsup_audit_findings", "gauge",
     "Missing or damaged WAL segments and base backups in the archive, and objects to be read.",
     lambda seen: _findings(seen) if seen.audit.finished_at else None),
    ("walsup_standby_behind_bytes", "gauge",
     "Bytes by which a standby's replay lags behind the end of the archive.",
     lambda seen: (seen.standby.behind_bytes
                   if seen.standby.phase == StandbyPhase.FOLLOWING else None)),
    ("walsup_engine_restarts_total", "counter",
     "Times that the engine's daemon ended unexpectedly since the container's start.",
     lambda seen: seen.init.engine_restarts),
    ("walsup_log_dropped_lines_total", "counter",
     "Log lines dropped since the container's start because the container's log was blocked.",
     lambda seen: seen.init.log_dropped_lines),
    ("walsup_agent_restarts_total", "counter",
     "Times that walsup's agent ended unexpectedly since the container's start.",
     lambda seen: seen.init.agent_restarts),
)
# fmt: on
FAULT_METRIC = ("walsup_fault", "gauge", "1 for each active fault, by subject and kind.")
ATTENTION_METRIC = (
    "walsup_attention",
    "gauge",
    "1 for each problem that needs a person but does not reduce protection, by subject and kind.",
)
BUILD_METRIC = ("walsup_build_info", "gauge", "1, with walsup's version as a label.")


def table() -> list[tuple[str, str, str]]:
    """Return name, type and meaning of every metric, for docs/reference/metrics.md."""
    rows = [(name, kind, says) for name, kind, says, _ in METRICS]
    return [*rows, FAULT_METRIC, ATTENTION_METRIC, BUILD_METRIC]


def render(snapshot: Snapshot) -> bytes:
    """Return `/metrics`."""
    return "".join(_lines(snapshot)).encode(errors="backslashreplace")


def _lines(snapshot: Snapshot) -> Iterator[str]:
    for name, kind, says, value in METRICS:
        if (measured := value(snapshot)) is not None:
            yield _head(name, kind, says) + _sample(name, {}, measured)
    for metric, shown in ((FAULT_METRIC, snapshot.faults), (ATTENTION_METRIC, snapshot.attention)):
        yield _head(*metric)
        for subject, standing in shown.items():
            yield _sample(metric[0], {"kind": standing.fault.kind, "subject": subject}, 1)
    yield _head(*BUILD_METRIC) + _sample(BUILD_METRIC[0], {"version": __version__}, 1)


def _head(name: str, kind: str, says: str) -> str:
    return f"# HELP {name} {_escaped(says)}\n# TYPE {name} {kind}\n"


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    shown = ",".join(f"{label}={_quoted(text)}" for label, text in labels.items())
    return f"{name}{{{shown}}} {float(value)!r}\n" if shown else f"{name} {float(value)!r}\n"


def _quoted(text: str) -> str:
    return '"{}"'.format(_escaped(text).replace('"', r"\""))


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")
