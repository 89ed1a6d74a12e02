"""A daemon whose push has passed its deadline is replaced."""

from tests.unit.agent.archiving.snapshots import NOTHING_WAITS, SHUT, WAITING, with_fault
from walsup.agent.archiving.overdue_push import OverduePush
from walsup.agent.archiving.watchdog_actions import ReplaceDaemon
from walsup.agent.subject import Subject
from walsup.postgres.processes.archiver import Archiver

TIMEOUT_S = 20.0
NONE_RUNS = Archiver(pid=150, state="S", push=0)
FIRST = Archiver(pid=150, state="S", push=160, push_state="S")
SECOND = FIRST._replace(push=161)
STOPPED = FIRST._replace(push_state="T")
OVERDUE = [ReplaceDaemon("a push has taken longer than 21.5 s")]
HUNG = [ReplaceDaemon("a push has not ended within 20 s")]


def test_a_push_under_way_after_the_deadline_is_overdue() -> None:
    """Measured from when it was first seen, and not asked for again within a minute."""
    pushes = OverduePush(TIMEOUT_S)
    assert pushes.step(WAITING, FIRST, 100.0) == []
    assert pushes.step(WAITING, FIRST, 121.5) == []
    assert pushes.step(WAITING, FIRST, 121.75) == OVERDUE
    assert pushes.step(WAITING, FIRST, 181.75) == []
    assert pushes.step(WAITING, FIRST, 182.0) == OVERDUE


def test_a_push_is_watched_before_its_segment_is_known_to_wait() -> None:
    """A deadline of 2 s may be over by then."""
    pushes = OverduePush(2.0)
    assert pushes.step(NOTHING_WAITS, FIRST, 100.0) == []
    assert pushes.step(NOTHING_WAITS, FIRST, 101.75) == []
    assert pushes.step(WAITING, NONE_RUNS, 102.0) == [
        ReplaceDaemon("a push has not ended within 2 s")
    ]


def test_each_push_has_its_own_deadline() -> None:
    """Many that follow each other are no long one."""
    pushes = OverduePush(TIMEOUT_S)
    for second in range(100):
        push = FIRST._replace(push=160 + second // 10)
        assert pushes.step(WAITING, push, float(second)) == []


def test_a_push_that_ended_at_its_deadline_has_hung() -> None:
    """Before the next one begins, which the daemon would let wait for it."""
    for after in (NONE_RUNS, SECOND, None):
        pushes = OverduePush(TIMEOUT_S)
        assert pushes.step(WAITING, FIRST, 100.0) == []
        assert pushes.step(WAITING, after, 119.75) == HUNG
    quick = OverduePush(TIMEOUT_S)
    assert quick.step(WAITING, FIRST, 100.0) == []
    assert quick.step(WAITING, SECOND, 119.25) == []


def test_the_time_between_two_pushes_is_no_push() -> None:
    """An archiver that sleeps for a minute has no daemon that hangs."""
    pushes = OverduePush(TIMEOUT_S)
    assert pushes.step(WAITING, NONE_RUNS, 0.0) == []
    assert pushes.step(WAITING, NONE_RUNS, 60.0) == []
    assert pushes.step(WAITING, FIRST, 61.0) == []


def test_a_bucket_that_does_not_answer_makes_pushes_fail_at_their_deadline() -> None:
    """That is not the daemon's fault."""
    pushes = OverduePush(TIMEOUT_S)
    faulty = with_fault(WAITING, Subject.BUCKET)
    assert pushes.step(faulty, FIRST, 100.0) == []
    assert pushes.step(faulty, SECOND, 120.0) == []


def test_a_push_that_a_signal_has_stopped_is_not_the_daemons() -> None:
    """It is named instead; a new daemon would not make it go on."""
    pushes = OverduePush(TIMEOUT_S)
    assert pushes.step(WAITING, STOPPED, 100.0) == []
    assert pushes.step(WAITING, STOPPED, 200.0) == []


def test_what_was_not_watched_is_not_measured() -> None:
    """A push may have ended right after the gate was shut, long before it opens again."""
    pushes = OverduePush(TIMEOUT_S)
    assert pushes.step(WAITING, FIRST, 100.0) == []
    assert pushes.step(SHUT, None, 100.25) == []
    assert pushes.step(WAITING, SECOND, 160.0) == []
