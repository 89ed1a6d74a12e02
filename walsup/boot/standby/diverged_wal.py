"""WAL that only a former primary has, copied into the archive before it is lost here.

Rule role-from-the-archive.

No server will replay the WAL after the fork, but an operator may search it for acknowledged
transactions that are missing. It is stored where no restore and no engine reads it as WAL: no key
has a segment's name in one piece (rule archive-names). Each part is gzip, and so is their
concatenation.
"""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

from walsup import log
from walsup.archive.catalog import commit_times
from walsup.archive.engine import encryption_key
from walsup.archive.ownership.role import StepDown, ThisInstance
from walsup.archive.storage.bucket import Bucket
from walsup.archive.storage.fault_mapping import is_conflict
from walsup.errors import DataDirectoryError
from walsup.postgres.wal import Segment, show_lsn
from walsup.postgres.wal_files import pages
from walsup.settings import Settings

FOLDER = "walsup/diverged"
_PART_BYTES = 4 << 20
_DIGITS = 12


async def encryption(bucket: Bucket) -> str:
    """Return how the archive's owner encrypts, as the owner object says; "": not known.

    Raises:
        what the bucket raises; ValueError: the owner object cannot be read.
    """
    owner = await commit_times.owner(bucket)
    return owner.encryption if owner else ""


def check(known: Settings, of_owner: str) -> None:
    """Refuse to store in the clear what an engine encrypts: this instance's, or the owner's.

    `of_owner`: the owner's encryption, as `encryption` returns it.

    Raises:
        DataDirectoryError: the archive is encrypted.
    """
    if encryption_key.is_set(known) or of_owner not in ("", encryption_key.NONE):
        raise DataDirectoryError(
            "another instance is the primary now; this directory has WAL that only it holds,"
            " and walsup does not store it unencrypted in an encrypted archive",
            hint="if you need that WAL, copy pg_wal to another place; then empty the data"
            " directory, and start it as a standby",
        )


def segments(
    pgdata: Path, own: ThisInstance, found: StepDown, size: int
) -> list[tuple[Segment, int]]:
    """Return the segments after the fork, with the number of bytes written in each."""
    listed = []
    for path in sorted((pgdata / "pg_wal").iterdir()):
        try:
            segment = Segment.parse(path.name, size)
        except ValueError:
            continue
        written = pages.reach(path, path.name, size)
        behind = segment.timeline >= own.timeline or segment.timeline == found.timeline
        if written and behind and segment.start_lsn + written > found.fork_lsn:
            listed.append((segment, written))
    return listed


async def bring(bucket: Bucket, pgdata: Path, own: ThisInstance, found: StepDown, size: int) -> int:
    """Upload it; return the number of segments.

    Raises:
        what the bucket raises; a repeated call keeps what is there.
    """
    listed = segments(pgdata, own, found, size)
    folder = f"{FOLDER}/{own.instance[:_DIGITS]}-{own.timeline}-{found.fork_lsn:x}"
    for segment, written in listed:
        name = segment.name
        path = pgdata / "pg_wal" / name
        for number, part in enumerate(_parts(path, written)):
            key = f"{folder}/{name[:8]}.{name[8:16]}.{name[16:]}.{number:04}.gz"
            await _put(bucket, key, part)
    if listed:
        about = {
            "instance": own.instance,
            "system_id": str(own.system_id),
            "timeline": own.timeline,
            "left_at": show_lsn(found.fork_lsn),
            "for_timeline": found.timeline,
            "segments": [f"{s.name[:8]} {s.name[8:16]} {s.name[16:]}" for s, _ in listed],
        }
        await _put(bucket, f"{folder}/about.json", json.dumps(about, indent=1).encode())
        log.warning("diverged.kept", folder=folder, segments=len(listed))
    return len(listed)


def _parts(path: Path, written: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        for offset in range(0, written, _PART_BYTES):
            content = file.read(min(_PART_BYTES, written - offset))
            yield gzip.compress(content, compresslevel=1, mtime=0)


async def _put(bucket: Bucket, key: str, content: bytes) -> None:
    try:
        await bucket.create(key, content)
    except Exception as raised:
        if not is_conflict(raised):
            raise
