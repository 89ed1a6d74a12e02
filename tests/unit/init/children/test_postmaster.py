"""The stop ladder (S23), without a clock."""

from signal import SIGKILL, SIGQUIT

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walsup.init.children.postmaster import StopLadder


def nobody() -> bool:
    """No walsender is connected."""
    return False


def somebody() -> bool:
    """A walsender is connected."""
    return True


@pytest.mark.parametrize(
    ("grace_s", "quit_s", "kill_s"),
    [(5, 2.5, 4.5), (8, 5.5, 7.5), (10, 6, 8), (16, 8, 10), (25, 17, 19)],
)
@pytest.mark.rule("stop-ladder")
def test_moments(grace_s: float, quit_s: float, kill_s: float) -> None:
    """QUIT at max(grace - 8 s, half the grace), KILL 2 s later."""
    ladder = StopLadder(grace_s)
    assert (ladder.quit_s, ladder.kill_s) == (quit_s, kill_s)
    assert ladder.verdict_s == grace_s - 0.5


@given(st.floats(min_value=5, max_value=3600))
@pytest.mark.rule("stop-ladder")
def test_everything_fits_in_the_grace(grace_s: float) -> None:
    """QUIT, KILL and the verdict come in this order, inside the grace."""
    ladder = StopLadder(grace_s)
    assert 0 < ladder.quit_s < ladder.kill_s <= ladder.verdict_s < grace_s


@pytest.mark.parametrize(
    ("elapsed_s", "number"), [(0, 0), (16.9, 0), (17, SIGQUIT), (18.9, SIGQUIT), (19, SIGKILL)]
)
@pytest.mark.rule("stop-ladder")
def test_climbs_by_time(elapsed_s: float, number: int) -> None:
    """Not clean: only the time counts, and walsenders do not."""
    assert StopLadder(25).due(elapsed_s, None, nobody) == number
    assert StopLadder(25).due(elapsed_s, None, somebody) == number


@pytest.mark.rule("stop-ladder")
def test_quits_two_seconds_after_shut_down() -> None:
    """Unless a walsender is connected: then it waits until QUIT's own moment."""
    ladder = StopLadder(25)
    assert ladder.due(3, 1.9, nobody) == 0
    assert ladder.due(3, 2.0, nobody) == SIGQUIT
    assert ladder.due(16.9, 15.0, somebody) == 0
    assert ladder.due(17, 15.0, somebody) == SIGQUIT
