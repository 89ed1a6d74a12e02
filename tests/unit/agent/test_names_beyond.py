"""Which names of a listing can be this server's segments."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.archive.test_valid_keys import SIZE, Shelf
from walsup.archive.catalog import listing
from walsup.postgres.wal import Segment


def _segment(number: int) -> Segment:
    return Segment(timeline=1, number=number, size=SIZE)


@given(st.sets(st.integers(1, 12)), st.integers(0, 12), st.integers(0, SIZE - 1))
def test_no_segment_counts_that_ends_after_the_position(
    numbers: set[int], current: int, into: int
) -> None:
    """Those that do are named, whether a gap is before them or not."""
    shelf = Shelf([f"wal_005/{_segment(number).name}.zst" for number in numbers])
    upto_lsn = current * SIZE + into

    run = asyncio.run(listing.advance(shelf, _segment(0), upto_lsn))  # type: ignore[arg-type]

    last = 0
    while last + 1 in numbers and last + 1 < current:
        last += 1
    assert run.mark == _segment(last)
    assert run.beyond == tuple(_segment(n) for n in sorted(numbers) if n >= current)
    assert [name for name, _ in run.verified] == [_segment(n).name for n in range(1, last + 1)]
