"""The test of conditional writes is made once for a bucket."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from walsup.agent.archiving.claim_checks import TrustedBucket
from walsup.archive.faults import Fault
from walsup.archive.paths import CONDITIONS_KEY
from walsup.archive.storage.directory_bucket import FileBucket
from walsup.settings import FileArchive


@pytest.fixture
async def buckets(tmp_path: Path) -> AsyncIterator[list[FileBucket]]:
    """Two of the same directory, as before and after the keys have changed."""
    both = [FileBucket(FileArchive(directory=str(tmp_path))) for _ in range(2)]
    yield both
    for bucket in both:
        bucket.close()


async def test_a_bucket_is_tested_once_and_a_new_one_again(buckets: list[FileBucket]) -> None:
    """A test writes: it is not repeated at each try to open the gate."""
    old, new = buckets
    trusted = TrustedBucket()
    assert await trusted.of(old, unsafe=False) is old
    before = (await old.get(CONDITIONS_KEY)).content
    assert await trusted.of(old, unsafe=False) is old
    assert (await old.get(CONDITIONS_KEY)).content == before
    assert await trusted.of(new, unsafe=False) is new
    assert (await old.get(CONDITIONS_KEY)).content != before


class Loose(FileBucket):
    """A directory that replaces whatever there is, until it is corrected."""

    honours = False

    async def replace(self, key: str, content: bytes, etag: str) -> str:
        """Write over any version."""
        return await super().replace(
            key, content, etag if self.honours else (await self.get(key)).etag
        )


async def test_a_bucket_that_honours_no_conditions_is_tested_again(tmp_path: Path) -> None:
    """A fault is not kept: the server may have been corrected."""
    loose = Loose(FileArchive(directory=str(tmp_path)))
    trusted = TrustedBucket()
    assert isinstance(await trusted.of(loose, unsafe=False), Fault)
    loose.honours = True
    assert await trusted.of(loose, unsafe=False) is loose
    loose.close()
