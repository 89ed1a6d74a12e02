"""What a miss of restore_command means (S14)."""

import pytest

from walsup.agent.recovery.miss_meaning import Miss, listed_from, meaning_of
from walsup.archive.catalog.timelines import TimelineHistory
from walsup.postgres.wal import Segment, Switch

SIZE = 1 << 24
LINE = TimelineHistory.of(2, (Switch(timeline=1, switch_lsn=5 * SIZE + 100, reason=""),))
FIRST = Segment(timeline=1, number=2, size=SIZE)


def name(timeline: int, number: int) -> str:
    """A segment's name."""
    return Segment(timeline=timeline, number=number, size=SIZE).name


WHOLE = frozenset([*(name(1, n) for n in (2, 3, 4, 5)), *(name(2, n) for n in (5, 6, 7))])


@pytest.mark.parametrize(
    ("asked", "listed", "means"),
    [
        (name(2, 8), WHOLE, Miss.END),
        (name(2, 7), WHOLE, Miss.THERE),
        (name(2, 6), WHOLE - {name(2, 6)}, Miss.HOLE),
        (name(2, 5), WHOLE - {name(2, 5)}, Miss.HOLE),
        (name(1, 3), WHOLE - {name(1, 3)}, Miss.HOLE),
        # Promoted a moment ago: the old timeline's serves, nothing lies behind it.
        (name(2, 5), frozenset([name(1, 4), name(1, 5)]), Miss.ABSENT),
        (name(1, 5), frozenset([name(1, 4)]), Miss.ABSENT),
        # What the listing must show, because it was fetched a moment ago, is not there.
        (name(2, 8), frozenset(), Miss.LOST),
        (name(2, 8), WHOLE - {name(2, 7)}, Miss.LOST),
        # Nothing of ours to judge.
        ("00000003.history", WHOLE, Miss.ABSENT),
        ("00000002.history", WHOLE | {"00000002.history"}, Miss.THERE),
        (name(7, 8), WHOLE, Miss.ABSENT),
        ("000000010000000000000002.00000028.backup", WHOLE, Miss.ABSENT),
    ],
)
@pytest.mark.rule("gap-is-not-the-end")
def test_a_miss(asked: str, listed: frozenset[str], means: Miss) -> None:
    """Absent with later ones present is a hole, never the end."""
    assert meaning_of(asked, LINE, FIRST, listed, "") is means


@pytest.mark.rule("gap-is-not-the-end")
def test_a_hole_is_the_end_for_who_has_named_it() -> None:
    """By its name, not in general."""
    listed = WHOLE - {name(2, 6)}
    assert meaning_of(name(2, 6), LINE, FIRST, listed, name(2, 6)) is Miss.END
    assert meaning_of(name(2, 6), LINE, FIRST, listed, name(2, 7)) is Miss.HOLE


@pytest.mark.rule("quiet-database")
def test_a_restore_in_quiet_time_takes_nothing_that_came_later() -> None:
    """The archive is written to meanwhile: what lies behind the last one is not there for us."""
    until = Segment(timeline=2, number=6, size=SIZE)
    assert meaning_of(name(2, 7), LINE, FIRST, WHOLE, "", until=until) is Miss.END
    assert meaning_of(name(2, 6), LINE, FIRST, WHOLE, "", until=until) is Miss.THERE


@pytest.mark.parametrize("asked", [name(2, 8), name(2, 5), name(1, 3), "00000003.history"])
def test_the_listing_begins_before_what_is_asked(asked: str) -> None:
    """The segment before it, on whichever timeline, must be seen."""
    begin = listed_from(asked, LINE, FIRST)
    assert begin <= asked
    if len(asked) == 24:
        before = Segment.parse(asked, SIZE).previous()
        assert all(begin <= s.name for s in LINE.candidates(before.number, SIZE))
