"""What a sentinel tells, whoever has written it."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from walsup.archive.catalog import base_backups, listing
from walsup.archive.storage.bucket import Listed, ListingPage, Object
from walsup.archive.storage.directory_bucket import FileBucket
from walsup.settings import FileArchive

KEY = "basebackups_005/base_000000010000000000000002_backup_stop_sentinel.json"
SEGMENT = "000000010000000000000007"


class Shelf:
    """An archive with one base backup."""

    region = None

    def __init__(self, fields: object) -> None:
        self._content = json.dumps(fields).encode()

    async def get(self, key: str) -> Object:
        """Its sentinel."""
        assert key == KEY
        return Object(content=self._content, etag="tag")

    async def piece(self, key: str, begin: int, size_bytes: int) -> bytes:
        """A part of it."""
        return (await self.get(key)).content[begin:][:size_bytes]

    async def keys(self, under: str, after: str = "") -> AsyncIterator[str]:
        """Nothing else."""
        for key in (KEY,):
            if key.startswith(under) and key > after:
                yield key

    async def pages(self, under: str, after: str = "") -> AsyncIterator[ListingPage]:
        """The same as a page."""
        yield ListingPage(tuple([Listed(key, 1, 1.0) async for key in self.keys(under, after)]))

    async def folder(self, under: str) -> list[tuple[str, float]]:
        """Its listing."""
        return [(KEY, 1.0)] if KEY.startswith(under) else []


@pytest.mark.parametrize(
    ("told", "preloads"),
    [
        ({"walsup": {"shared_preload_libraries": "a, b"}}, "a, b"),
        ({"walsup": {"shared_preload_libraries": ""}}, ""),
        ({"walsup": {}}, ""),
        ({"walsup": "mine"}, ""),
        ({"owner": "somebody"}, ""),
        ("a word of the operator's", ""),
        (["a", "list"], ""),
        (None, ""),
    ],
)
def test_what_a_cluster_loads(told: object, preloads: str) -> None:
    """Only walsup's own note is read; an operator's says nothing, and hides no backup."""
    found = asyncio.run(base_backups.backups(Shelf({"LSN": 1, "UserData": told})))
    assert [backup.preloads for backup in found] == [preloads]


@pytest.mark.parametrize(
    ("key", "archived"),
    [
        (f"wal_005/{SEGMENT}.zst", True),
        (f"wal_005/{SEGMENT}", True),
        ("wal_005/000000010000000000000008.zst", False),
        (f"wal_005/{SEGMENT}.00000028.backup.zst", False),
        ("", False),
    ],
)
async def test_a_file_is_archived_under_its_name_with_any_extension(
    tmp_path: Path, key: str, *, archived: bool
) -> None:
    """A later segment, or a backup's label of the same segment, is another file."""
    bucket = FileBucket(FileArchive(directory=str(tmp_path)))
    if key:
        (tmp_path / key).parent.mkdir()
        (tmp_path / key).touch()
    try:
        assert await listing.is_archived(bucket, SEGMENT) is archived
    finally:
        bucket.close()
