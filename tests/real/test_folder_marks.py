"""Marks that consoles make for folders: no objects of an archive, no reason to call it empty."""

import pytest

from dev.harness import S3Server
from walsup import settings
from walsup.archive.storage.bucket import Bucket, open_bucket


@pytest.mark.parametrize("marks", [(), ("", "basebackups_005/", "wal_005/", "walsup/")])
@pytest.mark.rule("empty-means-listed")
async def test_an_archive_with_folder_marks_is_not_empty(
    s3: S3Server, marks: tuple[str, ...]
) -> None:
    """SeaweedFS shows the mark alone, and says that this is all, when one key is asked for."""
    prefix = f"marks-{len(marks)}"
    bucket = _bucket(s3, prefix)
    assert [bucket.first_key_now(folder) for folder in ("basebackups_005", "wal_005")] == ["", ""]
    sentinel = "basebackups_005/base_000000010000000000000002_backup_stop_sentinel.json"
    segment = "wal_005/000000010000000000000002.lz4"
    for key in (*marks, sentinel, segment):
        s3.boto().put_object(Bucket=s3.bucket, Key=f"{prefix}/{key}", Body=b"x")
    assert bucket.first_key_now("basebackups_005")
    assert bucket.first_key_now("wal_005")
    assert [key async for key in bucket.keys("wal_005")] == [segment]
    assert [key for key, _ in await bucket.folder("basebackups_005")] == [sentinel]


def _bucket(s3: S3Server, prefix: str) -> Bucket:
    return open_bucket(
        settings.load(
            {
                "WALSUP_ARCHIVE": f"s3://{s3.bucket}/{prefix}",
                "AWS_ENDPOINT": s3.endpoint,
                "AWS_ACCESS_KEY_ID": s3.access_key,
                "AWS_SECRET_ACCESS_KEY": s3.secret_key,
            }
        )
    )
