"""What was seen too long ago is no green light, and the status says how long ago."""

from dataclasses import replace

import pytest

from tests.unit.agent.snapshots import FOLLOWING, PROTECTED
from walsup.agent import freshness
from walsup.agent.board import Board
from walsup.agent.http import health
from walsup.agent.http.status import as_json, as_text
from walsup.agent.snapshot import DatabaseState, NewConnection, Pid1State, Snapshot


def aged(name: str, age_s: float | None, seen: Snapshot = PROTECTED) -> Snapshot:
    """A snapshot in which one observation is as old as this, None: it was never made."""
    times = {each: at_s for each, at_s in seen.times.items() if each != name}
    if age_s is not None:
        times[name] = seen.now_s - age_s
    return replace(seen, times=times)


@pytest.mark.parametrize("name", ["init", "database", "answer", "waiting", "disk", "bucket"])
@pytest.mark.parametrize("age_s", [600.0, None])
def test_f_an_old_observation_is_not_green(name: str, age_s: float | None) -> None:
    """Whichever loop has frozen, or never looked."""
    assert health.protected(PROTECTED)
    seen = aged(name, age_s)
    assert not health.protected(seen)
    assert health.ready(seen).ok == (name != "answer")


def test_f_a_standby_whose_replay_is_not_looked_at_does_not_follow() -> None:
    """Neither does one whose archive is not."""
    standby = replace(
        PROTECTED,
        wanted_role="standby",
        standby=FOLLOWING,
        database=DatabaseState(accepting=True, role="standby"),
    )
    assert health.protected(standby)
    assert not health.protected(aged("replay", 100.0, standby))
    assert not health.protected(aged("bucket", 500.0, standby))
    alone = replace(standby, archive=None)
    assert health.protected(aged("bucket", None, alone))


def test_f_at_is_the_time_of_the_oldest_observation() -> None:
    """Not that of the latest write; each section has its own."""
    status = as_json(aged("bucket", 50.0))
    assert (status["now"], status["at"], status["lag"]["at"]) == (100.0, 50.0, 50.0)
    assert status["database"]["at"] == 98.0
    assert status["restore"]["at"] is None
    assert "the oldest of these observations is 50s old" in as_text(status)


def test_f_a_full_connection_table_is_ready_and_said() -> None:
    """It answers; what has a connection keeps it."""
    answer = health.ready(replace(PROTECTED, connection=NewConnection(full=True)))
    assert answer.ok
    assert "slots" in answer.reasons[0]


def test_what_stops_is_not_reported_as_frozen() -> None:
    """Loops end with the stop."""
    seen = replace(aged("disk", 600.0), init=Pid1State(phase="stopping"))
    assert freshness.stale(seen) == []


def test_the_board_notes_the_time_of_each_piece() -> None:
    """By the clock that no one sets."""
    board = Board("s3://b/p")
    board.put(database=DatabaseState())
    board.saw("answer")
    shown = board.shown()
    assert 0 <= freshness.age_s(shown, "database") < 5
    assert 0 <= freshness.age_s(shown, "answer") < 5
    assert freshness.age_s(shown, "disk") == float("inf")
