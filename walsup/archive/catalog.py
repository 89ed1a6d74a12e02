"""What the bucket holds, read from the bucket itself and never from an engine's printout."""

import json
from dataclasses import dataclass

from walsup.archive.bucket import Bucket
from walsup.archive.names import BACKUP_FOLDER, WAL_FOLDER
from walsup.postgres.wal import Kind, Segment, classify, strip_extension

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


async def newest_segment(bucket: Bucket) -> str:
    """Give the key of the last segment of the newest timeline, "" when there is none."""
    newest = ""
    async for key in bucket.keys(WAL_FOLDER):
        if classify(_name(key)) is Kind.SEGMENT:
            newest = key
    return newest


async def advance(bucket: Bucket, mark: Segment) -> Segment:
    """Give the last segment of the gap-free run that is in the bucket after `mark` (S33).

    Uploads are parallel, so a later segment proves nothing about an earlier one. Within a
    timeline the order of keys is the order of WAL: the listing ends at the first gap.
    """
    async for key in bucket.keys(WAL_FOLDER, f"{WAL_FOLDER}/{mark.name}"):
        name = _name(key)
        following = mark.next()
        if name == following.name:
            if await bucket.settle(key):
                mark = following
        elif classify(name) is Kind.SEGMENT and name > following.name:
            break
    return mark


def _name(key: str) -> str:
    return strip_extension(key).rpartition("/")[2]
