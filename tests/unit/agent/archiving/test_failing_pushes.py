"""Pushes that fail are shown soon, and examined with pauses."""

from dataclasses import replace

from tests.unit.agent.archiving.snapshots import (
    FAULT,
    MOVED,
    NOTHING_WAITS,
    SEGMENT,
    SHUT,
    WAITING,
    with_daemon,
    with_failures,
    with_fault,
)
from walsup.agent.archiving.failing_pushes import FailingPushes
from walsup.agent.archiving.watchdog_actions import Action, ClearFault, Examine, ShowFault
from walsup.agent.snapshot import Gate, Snapshot
from walsup.agent.states import GateState
from walsup.agent.subject import Subject
from walsup.archive.faults import FaultKind

FAILING = with_failures(WAITING, 4)
FAULTY = with_fault(WAITING, Subject.BUCKET)
BEGAN_S = 100.0


def _settled(seen: Snapshot = WAITING) -> FailingPushes:
    """Return a detector that has seen this daemon for long."""
    pushes = FailingPushes(seen, BEGAN_S - 50)
    for now_s in (BEGAN_S - 50, BEGAN_S):
        pushes.step(replace(seen, lag=NOTHING_WAITS.lag), now_s)
    pushes.step(seen, BEGAN_S)
    return pushes


def _shown(actions: list[Action]) -> list[FaultKind]:
    return [action.fault.kind for action in actions if isinstance(action, ShowFault)]


def test_failing_pushes_are_shown_after_a_moment_and_named() -> None:
    """The examination begins at once; what it finds may be in time to be shown instead."""
    pushes = _settled()
    assert pushes.step(FAILING, 100.25) == [Examine(failing=True)]
    assert pushes.step(FAILING, 101.0, examining=True) == []
    match pushes.step(FAILING, 101.25, examining=True):
        case [ShowFault(Subject.SEGMENTS, fault)]:
            assert fault.kind == FaultKind.ENGINE_BROKEN
            assert SEGMENT in fault.problem
            assert "failed pushes so far: 4" in fault.problem
        case other:
            raise AssertionError(other)
    shown = with_fault(FAILING, Subject.SEGMENTS)
    assert pushes.step(shown, 101.5, examining=True) == []


def test_a_listing_that_takes_long_is_a_timeout() -> None:
    """The way to the bucket is slow then, and not the engine broken."""
    pushes = _settled()
    pushes.step(FAILING, 100.25)
    actions = pushes.step(FAILING, 101.5, listing_s=4.0, examining=True)
    assert _shown(actions) == [FaultKind.TIMEOUT]


def test_what_stands_still_without_a_failure_is_examined_after_a_pause() -> None:
    """5 s, then 5, 10, 20, 40, 60 and 60 s after the examination before."""
    pushes = _settled()
    examined = [
        now_s
        for now_s in range(101, 310)
        if pushes.step(WAITING, float(now_s)) == [Examine(failing=False)]
    ]
    assert examined == [105, 110, 120, 140, 180, 240, 300]


def test_one_examination_at_a_time() -> None:
    """It may take a minute."""
    pushes = _settled()
    assert pushes.step(WAITING, 105.0) == [Examine(failing=False)]
    assert pushes.step(WAITING, 200.0, examining=True) == []
    assert pushes.step(WAITING, 200.25) == [Examine(failing=False)]


def test_what_an_examination_finds_is_shown_when_the_bucket_answers() -> None:
    """What the bucket says itself goes before it."""
    pushes = _settled()
    assert pushes.step(WAITING, 105.0) == [Examine(failing=False)]
    assert pushes.step(FAULTY, 106.0, finding=FAULT) == []
    assert pushes.step(WAITING, 107.0) == [ShowFault(Subject.SEGMENTS, FAULT)]
    assert pushes.step(WAITING, 108.0) == []


def test_a_finding_of_before_archiving_moved_is_dropped() -> None:
    """And what was shown is cleared; also when nothing waits any more."""
    for moved in (MOVED, NOTHING_WAITS):
        pushes = _settled()
        assert pushes.step(WAITING, 105.0) == [Examine(failing=False)]
        assert pushes.step(moved, 106.0, examining=True) == [ClearFault(Subject.SEGMENTS)]
        assert ShowFault(Subject.SEGMENTS, FAULT) not in pushes.step(moved, 107.0, finding=FAULT)
        assert _shown(pushes.step(moved, 107.25)) == []


def test_progress_forgives_the_failures_before_it() -> None:
    """Pushes that failed and succeeded after all are no news."""
    pushes = _settled()
    assert pushes.step(FAILING, 100.25) == [Examine(failing=True)]
    better = with_failures(MOVED, 4)
    assert pushes.step(better, 101.0) == [ClearFault(Subject.SEGMENTS)]
    assert pushes.step(better, 103.0) == []
    assert pushes.step(better, 106.0) == [Examine(failing=False)]


def test_failures_of_a_bucket_that_answers_again_are_not_the_engines() -> None:
    """They are counted until the push under way has ended and a sample shows it."""
    pushes = _settled()
    pushes.step(FAULTY, 101.0)
    assert pushes.step(with_failures(WAITING, 9), 103.25) == []
    assert pushes.step(with_failures(WAITING, 9), 104.5) == []
    assert pushes.step(with_failures(WAITING, 10), 104.75) == [Examine(failing=True)]


def test_pushes_fail_for_a_moment_when_the_daemon_is_replaced() -> None:
    """A second after another one has begun, 5 s while there is none."""
    other = with_daemon(FAILING, 201)
    pushes = _settled()
    assert pushes.step(other, 101.0) == []
    assert pushes.step(other, 102.0) == []
    assert pushes.step(other, 102.25) == [Examine(failing=True)]
    pushes = _settled()
    pushes.step(with_daemon(WAITING, 201), 101.0)
    gone = with_daemon(FAILING, 0)
    assert pushes.step(gone, 104.75) == []
    assert Examine(failing=True) in pushes.step(gone, 106.25)


def test_without_a_daemon_there_is_none_to_wait_for() -> None:
    """Each push starts the engine since the gate has opened again, so a failure counts at once."""
    alone = replace(with_daemon(FAILING, 0), gate=Gate(state=GateState.OPEN, daemon=False))
    pushes = _settled()
    pushes.step(with_daemon(WAITING, 201), 101.0)
    assert pushes.step(alone, 102.0) == []
    assert pushes.step(alone, 102.25) == [Examine(failing=True)]


def test_nothing_is_examined_while_archiving_is_disabled_or_the_bucket_is_at_fault() -> None:
    """The gate's reason, and the bucket's, are shown already."""
    for seen in (SHUT, FAULTY):
        pushes = _settled()
        assert pushes.step(with_failures(seen, 9), 300.0) == []
