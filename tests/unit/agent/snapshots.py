"""Snapshots that the tests of health, metrics and status share."""

from walsup.agent.lag_meter import Lag
from walsup.agent.snapshot import (
    Audit,
    BackupSeen,
    DatabaseState,
    Gate,
    Pid1State,
    RestoreState,
    Snapshot,
    Standby,
    Standing,
    Waiting,
)
from walsup.agent.states import AuditState, BackupState, GateState, RestorePhase, StandbyPhase
from walsup.archive.faults import Fault, FaultKind

STARTING = Snapshot(archive="s3://b/p")
PROTECTED = Snapshot(
    archive="s3://b/p",
    system_id=7_300_000_000_000_000_001,
    init=Pid1State(phase="running", engine_restarts=2, agent_restarts=1),
    database=DatabaseState(accepting=True, current_lsn=0x2_0000_0028, timeline=1, xmax=10),
    gate=Gate(
        state=GateState.OPEN, engine="walrus", compression="zstd", epoch=3, origin_lsn=0x1000000
    ),
    lag=Lag(known=True, segments=2, bytes=5 << 20, seconds=12.34, proven_lsn=0x1_FF00_0000),
    waiting=Waiting(ready=2, oldest="0" * 24, oldest_age_s=12.0, free_bytes=1 << 30),
    backup=BackupSeen(state=BackupState.PROVEN, name="base_1", finished_at="2026-01-01T00:00:00Z"),
    audit=Audit(state=AuditState.PASSED, finished_at=90.0, due_s=600.0, objects=42),
    at=100.0,
    times=dict.fromkeys(
        ("init", "database", "answer", "waiting", "disk", "bucket", "replay", "lag"), 998.0
    ),
    now_s=1000.0,
)
FAULT = Standing(
    fault=Fault(kind=FaultKind.AUTH, problem='403 for "key"\nand a second line'), since=1.0
)
RECOVERING = RestoreState(
    phase=RestorePhase.RECOVERING,
    source="s3://b/source",
    backup="base_1",
    target="time 2026-01-01 00:00:00+00:00",
    segment="000000010000000000000014",
    lsn=0x14000000,
    segments=18,
    total_segments=72,
    percent=25,
    left_s=93.0,
)
FETCHING = RestoreState(
    phase=RestorePhase.FETCHING,
    backup="base_1",
    bytes=3 << 20,
    total_bytes=12 << 20,
    percent=25,
    left_s=9.0,
)
FOLLOWING = Standby(
    phase=StandbyPhase.FOLLOWING, source="archive", replay_lsn=0x1000028, archived_lsn=0x2000000
)
