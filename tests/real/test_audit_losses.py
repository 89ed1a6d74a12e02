"""What the archive lost without harm to the newest base backup: shown until it is mended."""

import shutil
import subprocess
from collections.abc import Callable
from typing import Any

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import status, wait_protected
from dev.harness.storage.s3 import Boto
from walsup.postgres.wal import parse_lsn

Make = Callable[..., Walsup]
_SHORT = {"WALSUP_LEASE": "1s", "WALSUP_ARCHIVE_TIMEOUT": "2s"}
_SMALL = ["-c", "min_wal_size=32MB", "-c", "max_wal_size=32MB"]
_SEGMENT_BYTES = 16 << 20
_BUCKET = "walsup-audit-versions"
_SENTINEL = "_backup_stop_sentinel.json"


class _Versioned:
    """An archive in a bucket that keeps versions, read and hidden by boto3."""

    def __init__(self, s3: S3Server, prefix: str) -> None:
        self.boto: Boto = s3.boto()
        self.prefix = prefix
        if _BUCKET not in (one["Name"] for one in self.boto.list_buckets()["Buckets"]):
            self.boto.create_bucket(Bucket=_BUCKET)
        self.boto.put_bucket_versioning(
            Bucket=_BUCKET, VersioningConfiguration={"Status": "Enabled"}
        )

    def keys(self, folder: str) -> list[str]:
        """Keys that a listing shows, in order."""
        pages = self.boto.get_paginator("list_objects_v2")
        under = f"{self.prefix}/{folder}"
        return [
            one["Key"]
            for page in pages.paginate(Bucket=_BUCKET, Prefix=under)
            for one in page.get("Contents", ())
        ]

    def hide(self, key: str) -> str:
        """Put a delete marker before an object, as a plain delete does; gives its version."""
        marker: str = self.boto.delete_object(Bucket=_BUCKET, Key=key)["VersionId"]
        return marker

    def show(self, key: str, marker: str) -> None:
        """Remove the marker: the object is there as it was."""
        self.boto.delete_object(Bucket=_BUCKET, Key=key, VersionId=marker)

    def backups(self) -> list[str]:
        """Names of the finished base backups."""
        names = (key.rpartition("/")[2] for key in self.keys("basebackups_005/base_"))
        return [name.removesuffix(_SENTINEL) for name in names if name.endswith(_SENTINEL)]

    def parts(self, backup: str) -> list[str]:
        """Keys of a backup's parts."""
        return self.keys(f"basebackups_005/{backup}/tar_partitions/")

    def segments(self) -> list[str]:
        """Keys of the segments."""
        keys = self.keys("wal_005/0")
        return [key for key in keys if len(key.rpartition("/")[2].partition(".")[0]) == 24]


def _fill(one: Walsup, count: int) -> None:
    """Fill so many segments, and wait until they are verified in the bucket."""
    one.psql("create table if not exists t (n int)")
    for number in range(count):
        one.psql(f"insert into t values ({number})")
        one.psql("select pg_switch_wal()")
    lsn = parse_lsn(one.psql("select pg_current_wal_insert_lsn()"))
    lsn -= lsn % _SEGMENT_BYTES

    def look() -> bool:
        return parse_lsn(status(one)["lag"]["proven_lsn"]) >= lsn

    one.wait_for(look, "they are verified", timeout_s=60)


def _wait_attention(one: Walsup, subject: str) -> dict[str, Any]:
    """Wait until this needs attention and nothing takes protection away."""

    def look() -> dict[str, Any] | None:
        seen = status(one)
        found: dict[str, Any] | None = seen.get("attention", {}).get(subject)
        return found if found and seen["protected"] else None

    return one.wait_for(look, f"attention for the {subject}, protected", timeout_s=90)


def _wait_no_attention(one: Walsup) -> None:
    one.wait_for(
        lambda: status(one).get("attention") == {} and status(one)["protected"],
        "nothing needs attention, protected",
        timeout_s=60,
    )


def _delete(one: Walsup, remedy: str) -> None:
    """Run the engine's command that the remedy ends with."""
    program = shutil.which(one.engine, path=one.machine.search_path(one.engine))
    words = remedy.rpartition("with the engine: ")[2].split()
    command = [str(program), "--config", str(one.run_dir / "engine.json"), *words]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def test_a_delete_marker_hides_an_object_and_what_is_lost_needs_attention(
    walsup: Make, s3: S3Server
) -> None:
    """A segment, an older base backup's part and the newest's, each hidden by a delete marker.

    A gap and a damaged base backup with a whole newer one after them are attention alike; both end
    when the markers are removed, or the damaged base backup is deleted as the remedy says.
    """
    one = walsup(args=_SMALL, env=_SHORT)
    bucket = _Versioned(s3, one.prefix)
    one.environment["WALSUP_ARCHIVE"] = f"s3://{_BUCKET}/{one.prefix}"
    one.start()
    wait_protected(one)
    _fill(one, 4)
    (oldest,) = bucket.backups()
    one.psql("checkpoint")
    hidden = bucket.segments()[-3]
    name = hidden.rpartition("/")[2].partition(".")[0]
    (one.pgdata / "pg_wal" / name).unlink(missing_ok=True)
    marker = bucket.hide(hidden)
    gap = _wait_attention(one, "gap")
    assert (gap["kind"], name in gap["problem"]) == ("hole", True)
    faults = [event for event in one.events("fault.appeared") if event["subject"] == "hole"]
    assert name in faults[0]["problem"]
    newest = bucket.backups()[-1]
    assert f"until the end of base backup {newest}" in gap["problem"]
    part = bucket.parts(oldest)[0]
    part_marker = bucket.hide(part)
    older = _wait_attention(one, "older base backup")
    assert older["kind"] == "base backup damaged"
    assert f"base backup {oldest}: " in older["problem"]
    assert f"restores are possible from the end of base backup {newest}" in older["problem"]
    assert status(one)["backup"]["name"] == newest
    assert "gap" not in status(one)["attention"]  # no restore begins before it any more
    bucket.show(hidden, marker)
    bucket.show(part, part_marker)
    _wait_no_attention(one)
    assert status(one)["holes"] == []
    bucket.hide(bucket.parts(newest)[0])
    one.wait_for(lambda: len(bucket.backups()) > 2, "another base backup", timeout_s=60)
    faults = [event for event in one.events("fault.appeared") if event["subject"] == "backup"]
    assert faults[-1]["kind"] == "base backup damaged"
    assert newest in faults[-1]["problem"]
    _delete(one, _wait_attention(one, "older base backup")["remedy"])
    assert newest not in bucket.backups()
    _wait_no_attention(one)
