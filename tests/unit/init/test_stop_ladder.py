"""The stop ladder (S23), without a clock."""

from signal import SIGINT, SIGKILL, SIGQUIT

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walsup.init.stop_ladder import Ladder, exit_code


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
    ladder = Ladder(grace_s)
    assert (ladder.quit_s, ladder.kill_s) == (quit_s, kill_s)
    assert ladder.verdict_s == grace_s - 0.5


@given(st.floats(min_value=5, max_value=3600))
@pytest.mark.rule("stop-ladder")
def test_everything_fits_in_the_grace(grace_s: float) -> None:
    """QUIT, KILL and the verdict come in this order, inside the grace."""
    ladder = Ladder(grace_s)
    assert 0 < ladder.quit_s < ladder.kill_s <= ladder.verdict_s < grace_s


@pytest.mark.parametrize(
    ("elapsed_s", "number"), [(0, 0), (16.9, 0), (17, SIGQUIT), (18.9, SIGQUIT), (19, SIGKILL)]
)
@pytest.mark.rule("stop-ladder")
def test_climbs_by_time(elapsed_s: float, number: int) -> None:
    """Not clean: only the time counts, and walsenders do not."""
    assert Ladder(25).due(elapsed_s, None, nobody) == number
    assert Ladder(25).due(elapsed_s, None, somebody) == number


@pytest.mark.rule("stop-ladder")
def test_quits_two_seconds_after_shut_down() -> None:
    """Unless a walsender is connected: then it waits until QUIT's own moment."""
    ladder = Ladder(25)
    assert ladder.due(3, 1.9, nobody) == 0
    assert ladder.due(3, 2.0, nobody) == SIGQUIT
    assert ladder.due(16.9, 15.0, somebody) == 0
    assert ladder.due(17, 15.0, somebody) == SIGQUIT


@pytest.mark.parametrize(
    ("own", "sent", "clean", "code"),
    [
        (0, SIGINT, True, 0),
        (0, SIGINT, False, 0),
        (7, SIGINT, False, 7),
        (137, SIGINT, False, 137),
        (131, SIGQUIT, False, 131),
        (0, SIGQUIT, False, 131),
        (131, SIGQUIT, True, 0),
        (2, SIGQUIT, True, 0),
        (137, SIGKILL, False, 137),
        (137, SIGKILL, True, 137),
        (3, 0, False, 3),
        (0, 0, True, 0),
    ],
)
@pytest.mark.rule("stop-ladder")
def test_exit_code(own: int, sent: int, clean: bool, code: int) -> None:  # noqa: FBT001 - a row
    """QUIT counts as clean only after "shut down", KILL never; else postgres's code stands."""
    assert exit_code(own, sent, clean=clean) == code
