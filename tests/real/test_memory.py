"""Small containers: the base backup and a burst of WAL fit, and postgres is never the one to go."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest

from dev.harness import MemoryGroup, S3Server, Walsup
from dev.harness.checks.witness import Ledger, segments, sentinels, wait_no_lag, wait_protected

Make = Callable[..., Walsup]

_MIB = 1 << 20
SOON = {"WALSUP_ARCHIVE_TIMEOUT": "3s"}
# Sixteen rows of a mebibyte that no compressor makes smaller: each round is a segment.
_NOISE = """
create table noise as
  select i, string_agg(md5(random()::text || i || j), '') as hex
  from generate_series(1, 16) i, generate_series(1, 32768) j group by i
"""


class _Peak:
    """The most that a group held at any look, ten times a second."""

    def __init__(self, group: MemoryGroup) -> None:
        self.bytes = 0
        self._group = group
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            self.bytes = max(self.bytes, self._group.held_bytes)


def _data(one: Walsup, mebibytes: int) -> None:
    one.psql(
        "create table data as select g, repeat(md5(g::text), 31) as t"
        f" from generate_series(1, {mebibytes * 1000}) g",
        timeout_s=120,
    )
    one.psql(_NOISE, timeout_s=60)
    one.psql("checkpoint", timeout_s=60)


def _burst(one: Walsup, count: int) -> None:
    one.psql(
        "select count(pg_logical_emit_message(false, 'burst', hex))"
        f" from generate_series(1, {count}) s, noise",
        timeout_s=120,
    )


def _survives(make: Make, s3: S3Server, limit_mib: int, *, data_mib: int, burst: int) -> str:
    with MemoryGroup(limit_mib * _MIB) as group:
        one = make(memory=group, env=SOON | {"WALSUP_INITIAL_BACKUP": "off"}).start()
        try:
            one.wait_accepts()
            planned = one.wait_event("memory.planned")
            assert planned["limit_bytes"] == limit_mib * _MIB
            assert planned["uploads"] <= 4
            _data(one, data_mib)
            assert one.stop() == 0
            one.environment["WALSUP_INITIAL_BACKUP"] = "on"
            one.start()
            one.wait_accepts()
            with _Peak(group) as peak, Ledger(one) as ledger:
                _burst(one, burst)  # while the backup runs
                wait_protected(one, timeout_s=120)
            wait_no_lag(one, timeout_s=120)
            assert ledger.failures == 0
            assert ledger.rows() >= ledger.acknowledged > 0
            assert len(one.events("postgres.started")) == 1
            assert not one.events("engine.died")
            assert not one.events("agent.died")
            assert len(sentinels(s3, one.prefix)) == 1
            assert len(segments(s3, one.prefix)) >= burst
            assert group.kills == 0
            figures = f"{one.engine} in {limit_mib} MiB: held {peak.bytes // _MIB} MiB at most,"
            figures += f" {group.peak_bytes // _MIB} with the cache"
            print(f"{figures}, {group.kills} kills, {planned}")  # noqa: T201 (a figure)
            assert one.stop() == 0
            return figures
        finally:
            one.kill_tree()


@pytest.mark.rule("probes-do-not-kill")
def test_256_mib_survive_a_backup_and_a_burst(walsup: Make, s3: S3Server) -> None:
    """No process is killed, postgres is started once, everything is in the bucket."""
    _survives(walsup, s3, 256, data_mib=60, burst=10)


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("limit_mib", [256, 512])
@pytest.mark.rule("probes-do-not-kill")
def test_small_containers_survive_the_whole(walsup: Make, s3: S3Server, limit_mib: int) -> None:
    """The same with 300 MiB of data and 40 segments at once."""
    _survives(walsup, s3, limit_mib, data_mib=300, burst=40)


@pytest.mark.rule("probes-do-not-kill")
def test_engine_and_agent_go_before_postgres(walsup: Make) -> None:
    """They offer themselves to the kernel and are bounded; PID 1 and postgres are left alone."""
    one = walsup().start()
    wait_protected(one)
    scores = {
        child: int(Path(f"/proc/{one.pid_of(child)}/oom_score_adj").read_text())
        for child in ("postgres", "agent", "engine")
    }
    own = int(Path("/proc/self/oom_score_adj").read_text())
    assert scores["postgres"] == own
    assert int(Path(f"/proc/{one.init_pid}/oom_score_adj").read_text()) == own
    assert scores["engine"] > scores["agent"] > own
    for child in ("agent", "engine"):
        limits = Path(f"/proc/{one.pid_of(child)}/limits").read_text()
        bound = next(line for line in limits.splitlines() if line.startswith("Max data size"))
        assert bound.split()[3] != "unlimited"
