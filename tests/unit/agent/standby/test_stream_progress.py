"""A standby that streams: progress is required, and an idle primary is no fault."""

from dataclasses import replace
from datetime import UTC, datetime

from tests.unit.agent.snapshots import FOLLOWING
from walsup.agent.snapshot import Standby
from walsup.agent.standby.replay_stall import Standstill
from walsup.agent.standby.stream_progress import ReplayProgress
from walsup.archive.faults import Fault
from walsup.postgres.sql.replay_progress import Replay

SEEN = replace(FOLLOWING, source="streaming", primary_lsn=0x3000000, replay_lsn=0x1000028)
AT = Replay(
    streaming=True,
    primary_lsn=0x3000000,
    heard_at=datetime(2026, 1, 1, tzinfo=UTC),
    replay_lsn=0x1000028,
    paused=False,
    receiver_timeout_s=60.0,
    apply_delay_s=0.0,
)


def look(progress: ReplayProgress, seen: Standby, at: Replay, now_s: float) -> Fault | None:
    """One second's look."""
    progress.still_s(seen.replay_lsn, now_s)
    return progress.look(seen, at, now_s)


def heard(second: int) -> datetime:
    """A message at this second."""
    return datetime(2026, 1, 1, 0, second // 60, second % 60, tzinfo=UTC)


def test_f_replay_that_stands_while_the_primary_goes_on_is_a_fault() -> None:
    """After a minute; one step, and the minute begins again."""
    progress = ReplayProgress()
    faults = [look(progress, SEEN, AT._replace(heard_at=heard(n)), n) for n in range(62)]
    assert not any(faults[:61])
    assert faults[61] is not None
    assert "0/1000028" in faults[61].problem
    assert look(progress, replace(SEEN, replay_lsn=0x2000000), AT, 63) is None


def test_c_replay_that_waits_for_queries_without_an_end_names_the_setting() -> None:
    """On the stream and on the archive alike."""
    seen = replace(SEEN, endless="max_standby_streaming_delay")
    progress, still = ReplayProgress(), Standstill()
    look(progress, seen, AT, 0.0)
    found = look(progress, seen, AT._replace(heard_at=heard(61)), 61.0)
    assert found is not None
    assert "max_standby_streaming_delay = -1 lets" in found.cure
    behind = replace(FOLLOWING, endless="max_standby_archive_delay")
    assert still.look(behind, 0.0) is None
    found = still.look(behind, 61.0)
    assert found is not None
    assert "max_standby_archive_delay = -1 lets" in found.cure


def test_f_an_idle_primary_is_no_fault() -> None:
    """Everything is replayed, for a day; now and then the primary answers that it is there."""
    progress, seen = ReplayProgress(), replace(SEEN, replay_lsn=SEEN.primary_lsn)
    for n in range(0, 3000, 10):
        assert look(progress, seen, AT._replace(heard_at=heard(n // 30 * 30)), n) is None
    assert progress.still_s(seen.replay_lsn, 3000.0) == 3000.0
    # What is written then has a minute of its own.
    assert look(progress, replace(seen, primary_lsn=0x4000000), AT, 3000) is None


def test_f_a_receiver_that_hears_nothing_is_a_fault() -> None:
    """Postgres asks the primary for a sign of life within its timeout; without one it cannot."""
    progress, seen = ReplayProgress(), replace(SEEN, replay_lsn=SEEN.primary_lsn)
    assert look(progress, seen, AT, 0.0) is None
    assert look(progress, seen, AT, 74.0) is None
    fault = look(progress, seen, AT, 76.0)
    assert fault is not None
    assert "received nothing" in fault.problem
    assert look(progress, seen, AT._replace(receiver_timeout_s=0.0), 9999.0) is None


def test_f_a_pause_is_a_fault_at_once() -> None:
    """Also at the end of what there is."""
    fault = look(ReplayProgress(), SEEN, AT._replace(paused=True), 0.0)
    assert fault is not None
    assert "pg_wal_replay_resume" in fault.remedy


def test_f_a_delay_that_was_asked_for_is_no_fault() -> None:
    """recovery_min_apply_delay counts on top, from the stream and from the archive."""
    progress, late = ReplayProgress(), AT._replace(apply_delay_s=3600.0, receiver_timeout_s=0.0)
    assert look(progress, SEEN, late, 0.0) is None
    assert look(progress, SEEN, late, 3600.0) is None
    assert look(progress, SEEN, late, 3661.0) is not None
    still, seen = Standstill(), replace(FOLLOWING, apply_delay_s=3600.0)
    assert still.look(seen, 0.0) is None
    assert still.look(seen, 3600.0) is None
    assert still.look(seen, 3661.0) is not None


def test_f_a_gap_is_a_fault_when_it_stays() -> None:
    """Uploads are parallel: a later segment may be seen first."""
    still, seen = Standstill(), replace(FOLLOWING, at_end=True)
    assert still.look(seen, 0.0, gap="N is missing") is None
    assert still.look(seen, 10.0) is None
    assert still.look(seen, 15.0, gap="N is missing") is None
    fault = still.look(seen, 36.0, gap="N is missing")
    assert fault is not None
    assert "before a gap: N is missing" in fault.problem
