"""Which objects of an archive count: only what lies directly in its folder."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walsup.archive import valid_keys
from walsup.archive.catalog import listing
from walsup.archive.storage.bucket import Listed, ListingPage, Object
from walsup.postgres.wal import Segment

SIZE = 1 << 24
SEGMENT = "000000010000000000000005"


def _segment(number: int, timeline: int = 1) -> Segment:
    return Segment(timeline=timeline, number=number, size=SIZE)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (f"wal_005/{SEGMENT}", SEGMENT),
        (f"wal_005/{SEGMENT}.zst", SEGMENT),
        ("wal_005/00000002.history.lz4", "00000002.history"),
        (f"wal_005/{SEGMENT}.00000028.backup.lz4", f"{SEGMENT}.00000028.backup"),
        (f"wal_005/old/{SEGMENT}.zst", ""),
        (f"wal_005//{SEGMENT}.zst", ""),
        (f"wal_005/{SEGMENT}.zst/", ""),
        (f"wal_005/{SEGMENT}.zst/part", ""),
        (f"wal_005/{SEGMENT}.zst.bak", ""),
        (f"wal_005/{SEGMENT.lower()[:-1]}a.zst", ""),
        (f"wal_0055/{SEGMENT}.zst", ""),
        (f"other/wal_005/{SEGMENT}.zst", ""),
        ("wal_005/", ""),
        ("", ""),
    ],
)
def test_a_name_is_not_the_object(key: str, name: str) -> None:
    """A segment in a folder of the folder is none, whatever its name."""
    assert valid_keys.wal_name(key) == name


def test_a_sentinel_counts_in_its_place_alone() -> None:
    """The name of a base backup is all before the end that engines give it."""
    name = f"base_{SEGMENT}"
    assert valid_keys.backup_name(f"basebackups_005/{name}{valid_keys.SENTINEL}") == name
    for key in (
        f"basebackups_005/old/{name}{valid_keys.SENTINEL}",
        f"basebackups_005/{name}/x{valid_keys.SENTINEL}",
        f"wal_005/{name}{valid_keys.SENTINEL}",
        f"basebackups_005/{valid_keys.SENTINEL}",
        f"basebackups_005/{name}{valid_keys.SENTINEL}.bak",
    ):
        assert valid_keys.backup_name(key) == ""


def test_what_counts_as_nothing_is_named() -> None:
    """What an engine writes is not among it: labels, changed pages, unfinished backups."""
    engines = (
        f"wal_005/{SEGMENT}.zst",
        f"wal_005/{SEGMENT}_delta.zst",
        f"wal_005/{SEGMENT}.00000028.backup.zst",
        f"basebackups_005/base_{SEGMENT}{valid_keys.SENTINEL}",
    )
    others = ("wal_005/notes.txt", "basebackups_005/copy.json")
    backups = (f"basebackups_005/base_{SEGMENT}/", f"basebackups_005/base_{SEGMENT}_D_{SEGMENT}/")
    folders = ("basebackups_005/old/", f"wal_005/{SEGMENT}.zst/", "wal_005/old/")
    assert valid_keys.ignored((*engines, *others), (*backups, *folders)) == (*others, *folders)


class Shelf:
    """A bucket of keys, as any that heeds `Bucket`: two objects a page."""

    region = None

    def __init__(self, keys: list[str]) -> None:
        self._keys = sorted(keys)
        self.asked = 0

    async def get(self, key: str) -> Object:
        """Nothing is read."""
        raise FileNotFoundError(key)

    async def piece(self, key: str, begin: int, size_bytes: int) -> bytes:
        """A part of it."""
        return (await self.get(key)).content[begin:][:size_bytes]

    async def pages(self, under: str, after: str = "") -> AsyncIterator[ListingPage]:
        """Give what lies directly there."""
        direct = [key for key in self._keys if valid_keys.is_direct(under, key) and key > after]
        for at in range(0, max(1, len(direct)), 2):
            self.asked += 1
            assert self.asked < 10_000, "the loop over listings does not end"
            yield ListingPage(tuple(Listed(key, 1, 1.0) for key in direct[at : at + 2]))

    async def keys(self, under: str, after: str = "") -> AsyncIterator[str]:
        """Give the keys of the pages."""
        async for page in self.pages(under, after):
            for listed in page.objects:
                yield listed.key

    async def folder(self, under: str) -> list[tuple[str, float]]:
        """Give them with their time."""
        return [(key, 1.0) async for key in self.keys(under)]

    async def settle(self, _key: str) -> bool:
        """Every object is whole."""
        return True


names = st.one_of(
    st.builds(lambda n, t: _segment(n, t).name, st.integers(0, 6), st.integers(1, 3)),
    st.text("0123456789ABCDEFa~./", max_size=26),
    st.sampled_from(
        ["00000002.history", "FFFFFFFF.history", "00000000", "0000000100000000FFFFFFFF"]
    ),
)
keys = st.lists(
    st.builds(
        lambda folder, name, end: f"wal_005/{folder}{name}{end}",
        st.sampled_from(["", "", "old/", "/", "00000001/"]),
        names,
        st.sampled_from(["", ".zst", ".lz4", ".zst/x"]),
    ),
    max_size=30,
    unique=True,
)


@given(keys)
def test_every_loop_over_a_listing_ends_and_counts_only_direct_names(found: list[str]) -> None:
    """Whatever lies there, each answer is that of the direct names alone."""
    direct = {name for key in found if (name := valid_keys.wal_name(key))}

    async def ask(work: Callable[[Shelf], object]) -> object:
        return await work(Shelf(found))  # type: ignore[misc]

    async def timelines(shelf: Shelf) -> object:
        return await listing.timelines(shelf)

    async def mark(shelf: Shelf) -> object:
        return (await listing.advance(shelf, _segment(0))).mark  # type: ignore[arg-type]

    async def newest(shelf: Shelf) -> object:
        return await listing.newest_on(shelf, 1, 0, SIZE)

    number = 0
    while _segment(number + 1).name in direct:
        number += 1
    last = max((n for n in range(7) if _segment(n).name in direct), default=None)
    assert asyncio.run(ask(timelines)) == tuple(sorted({int(n[:8], 16) for n in direct} - {0}))
    assert asyncio.run(ask(mark)) == _segment(number)
    assert asyncio.run(ask(newest)) == (None if last is None else _segment(last))
