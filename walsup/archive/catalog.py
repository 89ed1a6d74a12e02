"""What the bucket holds, read from the bucket itself and never from an engine's printout."""

import json
from dataclasses import dataclass

from walsup.archive.store import Bucket
from walsup.postgres.wal import Kind, Segment, classify, contiguous_after, strip_extension

WAL_FOLDER = "wal_005"
BACKUP_FOLDER = "basebackups_005"
_SENTINEL = "_backup_stop_sentinel.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A finished base backup: one with a sentinel. LSNs in bytes, the time as written there."""

    name: str
    system_id: int | None
    start_lsn: int
    finish_lsn: int
    finished_at: str
    uploaded_at: float
    delta: bool


async def backups(bucket: Bucket) -> tuple[Backup, ...]:
    """Give the finished base backups, newest upload last."""
    sentinels = sorted(
        (uploaded_at, key)
        for key, uploaded_at in await bucket.folder(BACKUP_FOLDER)
        if key.endswith(_SENTINEL)
    )
    return tuple([_parse(key, at, (await bucket.get(key)).content) for at, key in sentinels])


def _parse(key: str, uploaded_at: float, content: bytes) -> Backup:
    """Read a sentinel; WAL-G 0.2 writes no SystemIdentifier."""
    fields = json.loads(content)
    return Backup(
        name=key.rpartition("/")[2].removesuffix(_SENTINEL),
        system_id=int(fields["SystemIdentifier"]) if fields.get("SystemIdentifier") else None,
        start_lsn=int(fields.get("LSN") or 0),
        finish_lsn=int(fields.get("FinishLSN") or 0),
        finished_at=str(fields.get("FinishTime") or ""),
        uploaded_at=uploaded_at,
        delta=bool(fields.get("DeltaFrom") or fields.get("IncrementFrom")),
    )


async def wal_names(bucket: Bucket, after: str = "") -> tuple[str, ...]:
    """Give the names under wal_005/ without extension, in order, continued after a name.

    `after` is a name without extension: in key order every extension of it follows it.
    """
    offset = f"{WAL_FOLDER}/{after}" if after else ""
    return tuple(
        [strip_extension(key).rpartition("/")[2] async for key in bucket.keys(WAL_FOLDER, offset)]
    )


async def newest_segment_name(bucket: Bucket) -> str:
    """Give the last segment's name of the newest timeline, "" when there is none."""
    newest = ""
    for name in await wal_names(bucket):
        if classify(name) is Kind.SEGMENT:
            newest = name
    return newest


async def advance(bucket: Bucket, mark: Segment) -> Segment:
    """Give the end of the gap-free run of segments that is in the bucket after `mark` (S33)."""
    return contiguous_after(mark, await wal_names(bucket, mark.name))


async def holds(bucket: Bucket, name: str) -> bool:
    """Tell whether one file of pg_wal is in the bucket, under any extension."""
    offset = f"{WAL_FOLDER}/{name}"[:-1]
    async for key in bucket.keys(WAL_FOLDER, offset):
        found = strip_extension(key).rpartition("/")[2]
        if found >= name:
            return found == name
    return False
