"""Lines of timelines, and how far an archive has them without a gap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walsup.archive.catalog.timelines import TimelineHistory, is_hole, reach, segment_size
from walsup.postgres.wal import Segment, Switch

SIZE = 1 << 24
ONE = TimelineHistory.of(1, ())
# Timeline 1 was left in the middle of segment 5, timeline 2 at the very end of segment 7.
THREE = TimelineHistory.of(
    3,
    (
        Switch(timeline=1, switch_lsn=5 * SIZE + 100, reason=""),
        Switch(timeline=2, switch_lsn=8 * SIZE, reason=""),
    ),
)


def segment(timeline: int, number: int) -> Segment:
    """A segment of 16 MB."""
    return Segment(timeline=timeline, number=number, size=SIZE)


def names(*pairs: tuple[int, int]) -> list[str]:
    """The names of segments, by timeline and number."""
    return [segment(timeline, number).name for timeline, number in pairs]


def test_a_line_knows_whose_a_segment_is() -> None:
    """The newest timeline that has begun in it or before."""
    assert [THREE.at(number, SIZE).timeline for number in range(3, 10)] == [1, 1, 2, 2, 2, 3, 3]
    assert [s.timeline for s in THREE.candidates(5, SIZE)] == [2, 1]
    assert [s.timeline for s in THREE.candidates(8, SIZE)] == [3]


def test_backups_lie_on_it_before_the_timeline_was_left() -> None:
    """What was finished behind the switch is another future's."""
    assert THREE.has(1, 5 * SIZE + 100)
    assert not THREE.has(1, 5 * SIZE + 101)
    assert THREE.has(3, 100 * SIZE)
    assert not THREE.has(4, 1)


@given(st.sets(st.integers(2, 40)))
def test_the_end_lies_before_the_first_gap(numbers: set[int]) -> None:
    """A hole is what is missing in front of something, and nothing else."""
    found = reach(ONE, segment(1, 2), names(*((1, n) for n in numbers)))
    expected = next(n for n in range(2, 42) if n not in numbers)
    assert found.count == expected - 2
    assert (found.end.number if found.end else None) == (expected - 1 if found.count else None)
    later = any(n > expected for n in numbers)
    assert (found.hole.number if found.hole else None) == (expected if later else None)


def test_it_goes_over_to_the_next_timeline() -> None:
    """Of the segment in which a timeline begins, the newer one's is taken."""
    there = names(*((1, n) for n in (3, 4, 5, 6)), (2, 5), (2, 6), (2, 7), (3, 8))
    found = reach(THREE, segment(1, 3), there)
    assert found.end == segment(3, 8)
    assert found.hole is None


def test_the_older_serves_while_nothing_of_the_newer_is_behind_it() -> None:
    """A promotion whose first segment was not yet archived ends in the old one's."""
    until_switch = names((1, 3), (1, 4), (1, 5))
    assert reach(THREE, segment(1, 3), until_switch).end == segment(1, 5)
    broken = reach(THREE, segment(1, 3), [*until_switch, *names((2, 6))])
    assert broken.hole == segment(2, 5)


def test_a_hole_can_be_accepted_by_name_only() -> None:
    """The restore ends before it; another hole stays one."""
    there = names((1, 2), (1, 3), (1, 5), (1, 7))
    assert reach(ONE, segment(1, 2), there, accept_hole=segment(1, 4).name).hole is None
    assert reach(ONE, segment(1, 2), there, accept_hole=segment(1, 6).name).hole == segment(1, 4)


def test_what_another_timeline_has_is_no_hole() -> None:
    """Segments that are not on the line prove nothing about it."""
    assert not is_hole(ONE, segment(1, 4), names((1, 3), (2, 5)))
    assert is_hole(ONE, segment(1, 4), names((1, 3), (1, 5)))
    # postgres asks for the older timeline's too, after the newer one's.
    assert not is_hole(THREE, segment(1, 5), names((2, 5), (2, 6)))


@pytest.mark.parametrize("exponent", range(20, 31))
@given(st.integers(1, 1 << 20))
def test_the_size_follows_from_a_backups_name(exponent: int, number: int) -> None:
    """Whatever initdb was told."""
    size = 1 << exponent
    start = Segment(timeline=3, number=number, size=size)
    found = segment_size(f"base_{start.name}", start.start_lsn + 40)
    assert Segment.containing(start.start_lsn + 40, 3, found).name == start.name


def test_a_name_without_segment_tells_no_size() -> None:
    """It is said, not guessed."""
    with pytest.raises(ValueError, match="fits no segment size"):
        segment_size("base_of_mine", 1)


def test_names_in_a_row_are_not_a_chain_a_break_ends_the_reach() -> None:
    """The WAL behind a break is there, and continues nothing; a person may accept that."""
    whole = reach(ONE, segment(1, 3), names(*((1, n) for n in range(3, 9))))
    assert (whole.end, whole.count) == (segment(1, 8), 6)
    cut = whole.until(6 * SIZE, "started by hand")
    assert (cut.end, cut.count, cut.hole) == (segment(1, 5), 3, segment(1, 6))
    assert cut.broken == "started by hand"
    accepted = whole.until(6 * SIZE, "started by hand", segment(1, 6).name)
    assert (accepted.end, accepted.count, accepted.hole) == (segment(1, 5), 3, None)
    assert whole.until(9 * SIZE, "later") == whole
