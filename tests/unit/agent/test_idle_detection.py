"""When the WAL after the last verified segment holds nothing of a transaction: the truth table."""

import pytest

from walsup.agent.idle_detection import IdleDetector, Xids
from walsup.postgres.wal import Segment

SIZE = 1 << 20


def segment(number: int, timeline: int = 1) -> Segment:
    """The `number`-th segment."""
    return Segment(timeline=timeline, number=number, size=SIZE)


MARK, CURRENT = segment(4), segment(5)
BEGIN, POSITION = CURRENT.start_lsn, CURRENT.start_lsn + 500


def after_switch(before: Xids, since: Xids) -> IdleDetector:
    """A detector that has seen xids before the switch into the current segment, and since."""
    detector = IdleDetector()
    detector.sample(before, switched=False)
    detector.sample(since, switched=True)
    return detector


UNCHANGED = (Xids(10, 10), Xids(10, 10))
ASSIGNED = (Xids(10, 10), Xids(11, 11))
IN_PROGRESS = (Xids(10, 9), Xids(10, 10))


@pytest.mark.parametrize("xids", [UNCHANGED, ASSIGNED, IN_PROGRESS])
@pytest.mark.parametrize("wal_is_quiet", [True, False])
def test_waiting_segments_and_a_timeline_that_was_left_are_never_idle(
    xids: tuple[Xids, Xids], *, wal_is_quiet: bool
) -> None:
    """First row: whatever the current segment holds, something before it is not verified."""
    detector = after_switch(*xids)
    if wal_is_quiet:
        detector.looked(POSITION, quiet=True)
    assert not detector.is_idle(segment(3), CURRENT, POSITION)
    assert not detector.is_idle(MARK, segment(5, timeline=2), POSITION)


@pytest.mark.parametrize("xids", [UNCHANGED, ASSIGNED, IN_PROGRESS])
def test_a_position_in_the_mark_is_idle(xids: tuple[Xids, Xids]) -> None:
    """Second row: nothing has been written after what is verified."""
    assert after_switch(*xids).is_idle(MARK, CURRENT, BEGIN)


@pytest.mark.parametrize("xids", [UNCHANGED, ASSIGNED, IN_PROGRESS])
def test_wal_without_a_transaction_is_idle_up_to_where_it_was_read(
    xids: tuple[Xids, Xids],
) -> None:
    """Third row; a byte later only the xids count."""
    detector = after_switch(*xids)
    detector.looked(POSITION, quiet=True)
    assert detector.is_idle(MARK, CURRENT, POSITION)
    assert detector.is_idle(MARK, CURRENT, POSITION + 1) is (xids == UNCHANGED)


def test_xids_alone_are_idle_only_when_none_was_open_and_none_is_new() -> None:
    """Fourth and fifth row."""
    assert after_switch(*UNCHANGED).is_idle(MARK, CURRENT, POSITION)
    assert not after_switch(*ASSIGNED).is_idle(MARK, CURRENT, POSITION)
    assert not after_switch(*IN_PROGRESS).is_idle(MARK, CURRENT, POSITION)


def test_before_a_switch_was_seen_the_xids_tell_nothing() -> None:
    """Last row: what lies in the current segment counts."""
    detector = IdleDetector()
    assert not detector.is_idle(MARK, CURRENT, POSITION)
    detector.sample(Xids(10, 10), switched=False)
    assert not detector.is_idle(MARK, CURRENT, POSITION)


def test_the_xids_of_our_own_switch_are_newer_than_the_sample_before_it() -> None:
    """They count for that switch only."""
    detector = IdleDetector()
    detector.sample(Xids(10, 10), switched=False)
    detector.switched(Xids(12, 12))
    detector.sample(Xids(12, 12), switched=True)
    assert detector.is_idle(MARK, CURRENT, POSITION)
    detector.sample(Xids(11, 11), switched=True)
    detector.sample(Xids(11, 11), switched=False)
    assert not detector.is_idle(MARK, CURRENT, POSITION)


def test_only_short_wal_that_was_not_read_yet_could_tell_more() -> None:
    """A transaction's record stays there; of 64 KiB and more no idle database is the writer."""
    detector = after_switch(*IN_PROGRESS)
    assert detector.wants_wal(CURRENT, POSITION)
    assert detector.wants_wal(CURRENT, BEGIN + (1 << 16))
    assert not detector.wants_wal(CURRENT, BEGIN + (1 << 16) + 1)
    detector.looked(POSITION, quiet=True)
    assert not detector.wants_wal(CURRENT, POSITION)
    assert detector.wants_wal(CURRENT, POSITION + 1)
    detector.looked(POSITION + 1, quiet=False)
    assert not detector.wants_wal(CURRENT, POSITION + 2)
    assert detector.wants_wal(segment(6), segment(6).start_lsn + 1)
