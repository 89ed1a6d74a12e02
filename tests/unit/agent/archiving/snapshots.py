"""Snapshots that the tests of the archiver watchdog's detectors share."""

from dataclasses import replace

from walsup.agent.lag_meter import Lag
from walsup.agent.snapshot import DatabaseState, Gate, Pid1State, Snapshot, Standing
from walsup.agent.states import GateState
from walsup.agent.subject import Subject
from walsup.archive.faults import Fault, FaultKind

SEGMENT = "000000010000000000000007"
FAULT = Fault(FaultKind.TIMEOUT, "no answer")
WAITING = Snapshot(
    archive="s3://b/p",
    init=Pid1State(phase="running", postgres_pid=100, engine_pid=200),
    database=DatabaseState(accepting=True, observed=True, failed_count=3, last_failed_wal=SEGMENT),
    gate=Gate(state=GateState.OPEN),
    lag=Lag(known=True, segments=2, proven_lsn=0x7000000),
)
SHUT = replace(WAITING, gate=Gate(state=GateState.SHUT))
MOVED = replace(WAITING, lag=replace(WAITING.lag, proven_lsn=0x8000000))
NOTHING_WAITS = replace(WAITING, lag=replace(WAITING.lag, segments=0))


def with_fault(seen: Snapshot, subject: Subject) -> Snapshot:
    """Return the snapshot with a fault of this subject."""
    return replace(seen, faults={**seen.faults, subject: Standing(fault=FAULT, since=1.0)})


def with_failures(seen: Snapshot, count: int) -> Snapshot:
    """Return the snapshot with so many failed pushes."""
    return replace(seen, database=replace(seen.database, failed_count=count))


def with_daemon(seen: Snapshot, pid: int) -> Snapshot:
    """Return the snapshot with a daemon of this pid, 0: with none."""
    return replace(seen, init=replace(seen.init, engine_pid=pid))
