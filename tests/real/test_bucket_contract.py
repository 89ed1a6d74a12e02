"""The bucket of the model against an S3 server and a directory: one body for all three."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from dev.harness import S3Server
from tests.unit.ownership.memory_bucket import MemoryBucket
from tests.unit.ownership.net import Store
from walsup import settings
from walsup.archive.ownership.conditional_writes import honoured
from walsup.archive.storage.bucket import Bucket, open_bucket
from walsup.archive.storage.directory_bucket import FileBucket
from walsup.archive.storage.fault_mapping import is_absent, is_conflict
from walsup.settings import FileArchive


@pytest.fixture(params=["memory", "s3", "directory"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path, s3: S3Server) -> Iterator[Bucket]:
    """An empty one."""
    if request.param == "memory":
        yield cast("Bucket", MemoryBucket(Store()))  # it has what ownership asks of a bucket
        return
    if request.param == "directory":
        directory = FileBucket(FileArchive(directory=str(tmp_path)))
        yield directory
        directory.close()
        return
    given = {
        "WALSUP_ARCHIVE": f"s3://{s3.bucket}/contract-{tmp_path.name}",
        "AWS_ENDPOINT": s3.endpoint,
        "AWS_ACCESS_KEY_ID": s3.access_key,
        "AWS_SECRET_ACCESS_KEY": s3.secret_key,
    }
    yield open_bucket(settings.load(given))


@pytest.mark.rule("one-owner")
async def test_conditional_writes_are_the_same_everywhere(bucket: Bucket) -> None:
    """Only who names the version that is there writes over it."""
    key = "walsup/owner.json"
    with pytest.raises(FileNotFoundError) as absent:
        await bucket.get(key)
    assert is_absent(absent.value)
    with pytest.raises(Exception) as lost:  # noqa: PT011 (what it is, is_conflict and is_absent say)
        await bucket.replace(key, b"none", '"not-there"')
    assert is_conflict(lost.value) or is_absent(lost.value)
    first = await bucket.create(key, b"one")
    with pytest.raises(Exception) as lost:  # noqa: PT011 (as above)
        await bucket.create(key, b"two")
    assert is_conflict(lost.value)
    found = await bucket.get(key)
    assert (found.content, found.etag) == (b"one", first)
    second = await bucket.replace(key, b"two", first)
    assert second != first
    with pytest.raises(Exception) as lost:  # noqa: PT011 (as above)
        await bucket.replace(key, b"three", first)
    assert is_conflict(lost.value)
    assert (await bucket.get(key)).content == b"two"
    assert await honoured(bucket)


@pytest.mark.rule("listing-is-proof")
async def test_listings_are_the_same_everywhere(bucket: Bucket) -> None:
    """What lies directly in a folder, in the order of keys, behind a key."""
    for name in ("b", "a", "c"):
        await bucket.create(f"wal_005/{name}", b"x")
    await bucket.create("other/d", b"x")
    assert [key async for key in bucket.keys("wal_005")] == ["wal_005/a", "wal_005/b", "wal_005/c"]
    assert [key async for key in bucket.keys("wal_005", "wal_005/a")] == ["wal_005/b", "wal_005/c"]
    pages = [page async for page in bucket.pages("wal_005", "wal_005/b")]
    assert [(o.key, o.size_bytes) for page in pages for o in page.objects] == [("wal_005/c", 1)]
