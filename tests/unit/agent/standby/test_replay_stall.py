"""A standby that does not go on is told, and one that has nothing to do is not."""

from dataclasses import replace

from tests.unit.agent.snapshots import FOLLOWING
from walsup.agent.standby.replay_stall import Standstill


def test_a_minute_behind_without_a_step_is_told() -> None:
    """One step, and the minute begins anew; at the end there is nothing to wait for."""
    still = Standstill()
    assert still.look(FOLLOWING, 0.0) is None
    assert still.look(FOLLOWING, 59.0) is None
    fault = still.look(FOLLOWING, 61.0)
    assert fault is not None
    assert "0/1000028" in fault.problem
    assert still.look(replace(FOLLOWING, replay_lsn=0x1000100), 62.0) is None
    assert still.look(replace(FOLLOWING, replay_lsn=0x1000100, at_end=True), 200.0) is None
    assert still.look(replace(FOLLOWING, replay_lsn=FOLLOWING.archived_lsn), 900.0) is None
