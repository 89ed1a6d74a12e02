"""What the listing of the WAL folder tells about the owner's line."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walsup.archive.catalog.scope import Round, Scope, Stamp
from walsup.archive.catalog.timelines import TimelineHistory
from walsup.archive.listing_check.wal_walk import WalWalk
from walsup.archive.storage.bucket import Listed
from walsup.postgres.wal import Segment, Switch

SIZE = 16 << 20
ONE = TimelineHistory.of(1, ())
TWO = TimelineHistory.of(2, (Switch(timeline=1, switch_lsn=5 * SIZE + 100, reason=""),))


def name(number: int, timeline: int = 1) -> str:
    """Give a segment's name."""
    return Segment(timeline=timeline, number=number, size=SIZE).name


def listed(shown: str, at: float = 0.0, size: int = 1000) -> Listed:
    """Give an object of the WAL folder; a bare segment's name gets an extension."""
    extension = ".zst" if len(shown) == len(name(2)) else ""
    return Listed(f"wal_005/{shown}{extension}", size, at)


def scope(head: int, line: TimelineHistory = ONE, **known: object) -> Scope:
    """Give a question about a window that begins with segment 2."""
    return Scope(system_id=7, line=line, size=SIZE, head=head, **known)  # type: ignore[arg-type]


def walk(asked: Scope, *rows: Listed, begin: int = 2) -> WalWalk:
    """Show a listing."""
    walked = WalWalk(asked, begin)
    for row in sorted(rows):
        walked.add(row)
    walked.end()
    return walked


def reasons(walked: WalWalk) -> dict[str, str]:
    """Give why objects have to be read."""
    return {one.name: one.why for one in walked.suspects}


@given(present=st.sets(st.integers(2, 12)), head=st.integers(2, 12))
def test_what_is_missing_between_the_window_and_the_head_is_named(
    present: set[int], head: int
) -> None:
    """Each number once, in stretches; what is above the head is not asked for."""
    walked = walk(scope(head), *(listed(f"{name(n)}.zst") for n in present))
    told = [n for first, last in walked.missing for n in range(first, last + 1)]
    assert told == [n for n in range(2, head + 1) if n not in present]


def test_a_line_of_two_timelines_goes_on_in_the_segment_of_the_switch() -> None:
    """That segment has the new timeline's name; the old one's is a part of it."""
    rows = [listed(name(n)) for n in (2, 3, 4)] + [listed(name(n, 2)) for n in (5, 6)]
    walked = walk(scope(6, TWO), *rows, listed("00000002.history"))
    assert walked.missing == []
    assert walked.branches.found() == ()
    assert walk(scope(6, TWO), *rows[:-2], rows[-1]).missing == [(5, 5)]


def test_only_direct_names_count_and_the_rest_is_counted() -> None:
    """A folder that holds the missing segment is none of the line's objects."""
    odd = [listed(f"old/{name(3)}.zst"), listed("readme.txt"), listed(f"{name(4)}_delta.zst")]
    walked = walk(scope(4), listed(name(2)), listed(name(4)), *odd)
    assert walked.missing == [(3, 3)]
    assert walked.ignored == 2


def test_two_extensions_of_one_segment_are_told() -> None:
    """A base backup's label has the segment's name too, and is no second object."""
    rows = [listed(f"{name(2)}.lz4"), listed(f"{name(2)}.zst"), listed(name(3))]
    walked = walk(scope(3), *rows, listed(f"{name(3)}.00000028.backup.zst"))
    assert list(walked.twice) == [name(2)]


def test_an_object_that_changed_after_the_last_round_is_read() -> None:
    """By the bucket's clock alone; what is new since then is not older than the head was."""
    last = Round(newest_at=100.0, head=4)
    rows = [listed(name(2), 90), listed(name(3), 130), listed(name(4), 100), listed(name(5), 140)]
    known = {name(4): Stamp(1000, 100.0)}
    walked = walk(scope(5, last=last, known=known), *rows)
    assert reasons(walked) == {name(3): "rewritten"}


def test_an_object_that_was_verified_is_known_by_size_and_time() -> None:
    """Within the second of the last round the time alone tells nothing."""
    last = Round(newest_at=100.0, head=4)
    known = {name(3): Stamp(1000, 100.0), name(4): Stamp(999, 100.0)}
    rows = [listed(name(2), 90), listed(name(3), 100), listed(name(4), 100)]
    assert reasons(walk(scope(4, last=last, known=known), *rows)) == {name(4): "rewritten"}


def test_a_segment_that_is_later_than_its_successors_is_read() -> None:
    """Uploads are parallel, so a few seconds say nothing; the first round has nothing else."""
    rows = [listed(name(n), 100.0 + n) for n in range(2, 12)]
    assert walk(scope(11), *rows).suspects == []
    rows[3] = listed(name(5), 104.0 + 5)
    assert walk(scope(11), *rows).suspects == []
    rows[3] = listed(name(5), 5000.0)
    assert reasons(walk(scope(11), *rows)) == {name(5): "order"}


@pytest.mark.parametrize(("size", "why"), [(0, "empty"), (255, "size"), (256, ""), (-1, "")])
def test_an_implausible_size_is_read(size: int, why: str) -> None:
    """A server that tells no size (-1) is believed; the extension says how far it compresses."""
    walked = walk(scope(3), listed(name(2)), listed(name(3), 0, size))
    assert reasons(walked) == ({name(3): why} if why else {})


def test_what_was_found_damaged_stays_so_until_the_object_changes() -> None:
    """It is not read in every round."""
    damaged = {name(3): Stamp(7, 50.0)}
    rows = [listed(name(2), 40), listed(name(4), 60)]
    walked = walk(scope(4, damaged=damaged), *rows, listed(name(3), 50, 7))
    assert (walked.damaged, walked.suspects) == ([name(3)], [])
    uncompressed = walk(
        scope(3), listed(f"{name(2)}.lz4", 0, 70_000), Listed("wal_005/" + name(3), 70_000, 0.0)
    )
    assert reasons(uncompressed) == {name(3): "size"}
    walked = walk(scope(4, damaged=damaged), *rows, listed(name(3), 50, 8))
    assert walked.damaged == []


def test_foreign_timelines_are_told_since_when_and_known_branches_are_not() -> None:
    """What other timelines had before the owner's began was left by a restore or promotion."""
    rows = [listed(name(2), 10), listed(name(3), 20)]
    clone = [listed("00000002.history", 500), listed(f"{name(3, 2)}.zst", 510)]
    (branch,) = walk(scope(3), *rows, *clone).branches.found()
    assert (branch.timeline, branch.first, branch.since) == (2, "00000002.history", 500)
    assert branch.objects == 2
    assert walk(scope(3, branches_until=510), *rows, *clone).branches.found() == ()
    assert walk(scope(3, branches_until=math.inf), *rows, *clone).branches.found() == ()
    began = [listed("00000002.history", 1000), listed(name(5, 2), 1001)]
    ancestors = [listed(name(n), 10.0 * n) for n in range(2, 8)]
    assert walk(scope(5, TWO), *ancestors, *began).branches.found() == ()
    ancestors[-1] = listed(name(7), 2000)
    (branch,) = walk(scope(5, TWO), *ancestors, *began).branches.found()
    assert (branch.timeline, branch.first) == (1, f"{name(7)}.zst")


def test_the_newest_day_begins_behind_what_is_a_day_older() -> None:
    """A short round looks at that much."""
    day = 86400.0
    rows = [listed(name(n), n * day / 2) for n in range(2, 12)]
    walked = walk(scope(11), *rows)
    assert walked.day == 9


def test_memory_is_bounded() -> None:
    """A million odd objects are counted, and some are named."""
    walked = WalWalk(scope(100_000), 2)
    for number in range(3, 6000, 2):
        walked.add(listed(name(number), number, 0))
    walked.end()
    assert len(walked.missing) == len(walked.suspects) == 256
    assert walked.missing[-1][1] == 100_000
    assert walked.more_suspects > 0


def test_the_history_files_of_the_line_are_reported_with_their_sizes() -> None:
    """An empty one too; that of another timeline is none of them."""
    rows = [listed("00000002.history", 5.0, 0), listed("00000003.history.lz4", 6.0, 70)]
    walked = walk(scope(6, TWO), *rows)
    assert walked.histories == {"00000002.history": (0, 5.0)}
