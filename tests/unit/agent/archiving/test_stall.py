"""The archiver is woken when archiving stands still, and at once when something is better."""

from tests.unit.agent.archiving.snapshots import (
    MOVED,
    NOTHING_WAITS,
    SHUT,
    WAITING,
    with_daemon,
    with_fault,
)
from walsup.agent.archiving.stall import Stall
from walsup.agent.archiving.watchdog_actions import Wake
from walsup.agent.snapshot import Snapshot
from walsup.agent.subject import Subject

NO_PROGRESS = Wake("no progress", has_daemon=True, reloads=True)
BETTER = Wake("better", has_daemon=True, reloads=True)
FAULTY = with_fault(WAITING, Subject.BUCKET)


def _woken_at(stall: Stall, seen: Snapshot, until_s: int) -> list[int]:
    return [now_s for now_s in range(1, until_s) if stall.step(seen, float(now_s))]


def test_the_pause_between_two_wakes_doubles_up_to_a_minute() -> None:
    """3, 6, 12, 24, 48, 60, 60 s, each a second later: a look is one a second here."""
    woken = _woken_at(Stall(WAITING, 0.0), WAITING, 260)
    pauses = [later - earlier for earlier, later in zip([0, *woken], woken, strict=False)]
    assert pauses == [4, 7, 13, 25, 49, 61, 61]


def test_progress_begins_the_pauses_from_the_start() -> None:
    """A busy archiver that gets on is never woken."""
    stall = Stall(WAITING, 0.0)
    assert stall.step(WAITING, 4.0) == [NO_PROGRESS]
    assert stall.step(MOVED, 20.0) == []
    assert stall.step(MOVED, 23.0) == []
    assert stall.step(MOVED, 24.0) == [NO_PROGRESS]


def test_nothing_is_woken_while_nothing_waits_or_archiving_is_disabled() -> None:
    """However long that is."""
    assert not _woken_at(Stall(WAITING, 0.0), NOTHING_WAITS, 200)
    assert not _woken_at(Stall(WAITING, 0.0), SHUT, 200)


def test_a_bucket_that_answers_again_wakes_at_once() -> None:
    """Once: the next wake waits for its pause."""
    stall = Stall(WAITING, 0.0)
    assert stall.step(FAULTY, 1.0) == []
    assert stall.step(WAITING, 1.25) == [BETTER]
    assert stall.step(WAITING, 1.5) == []


def test_without_an_answer_of_the_bucket_only_the_daemon_is_checked() -> None:
    """A wake would only add a failed push."""
    stall = Stall(FAULTY, 0.0)
    assert stall.step(FAULTY, 4.0) == [Wake("no progress", has_daemon=True, reloads=False)]


def test_another_daemon_wakes_at_once_and_the_first_one_does_not() -> None:
    """The archiver may sleep because the one before was killed; none is no other one."""
    stall = Stall(WAITING, 0.0)
    assert stall.step(with_daemon(WAITING, 200), 0.25) == []
    assert stall.step(with_daemon(WAITING, 0), 0.5) == []
    assert stall.step(with_daemon(WAITING, 200), 0.75) == []
    assert stall.step(with_daemon(WAITING, 201), 1.0) == [BETTER]


def test_without_a_daemon_none_is_asked() -> None:
    """Each push starts the engine then."""
    stall = Stall(WAITING, 0.0)
    assert stall.step(with_daemon(WAITING, 0), 4.0) == [
        Wake("no progress", has_daemon=False, reloads=True)
    ]
