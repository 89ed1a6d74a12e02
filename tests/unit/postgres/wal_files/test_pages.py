"""How far a segment's file is written."""

import struct
from pathlib import Path

import pytest

from walsup.postgres.wal_files import pages

SIZE = 1 << 20
NAME = "000000020000000000000003"
START = 3 * SIZE


def _page(address: int, timeline: int = 2) -> bytes:
    return struct.pack("<HHIQ", 0xD110, 0, timeline, address).ljust(pages.PAGE_BYTES, b"\1")


@pytest.mark.parametrize("written", [0, 1, 5, SIZE // pages.PAGE_BYTES])
@pytest.mark.rule("partial-segments")
def test_pages_of_an_earlier_use_do_not_count(tmp_path: Path, written: int) -> None:
    """A recycled file has the addresses of another segment behind what is new."""
    path = tmp_path / NAME
    new = [_page(START + n * pages.PAGE_BYTES) for n in range(written)]
    old = [_page(n * pages.PAGE_BYTES) for n in range(written, SIZE // pages.PAGE_BYTES)]
    path.write_bytes(b"".join(new + old))
    assert pages.reach(path, NAME, SIZE) == written * pages.PAGE_BYTES


@pytest.mark.rule("partial-segments")
def test_a_short_file_reaches_to_its_end(tmp_path: Path) -> None:
    """An older timeline's pages belong to it, a newer one's do not."""
    path = tmp_path / NAME
    path.write_bytes(
        _page(START, 1) + _page(START + pages.PAGE_BYTES) + _page(START + 2 * pages.PAGE_BYTES, 3)
    )
    assert pages.reach(path, NAME, SIZE) == 2 * pages.PAGE_BYTES
