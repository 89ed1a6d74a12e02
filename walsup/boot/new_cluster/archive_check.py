"""Checks whether the archive holds a cluster, before anything new is made.

Rule empty-means-listed.
"""

import time
from contextlib import closing
from typing import NamedTuple

from walsup import units
from walsup.archive.paths import BACKUP_FOLDER, WAL_FOLDER
from walsup.archive.storage.bucket import Bucket, open_bucket
from walsup.archive.storage.fault_mapping import classify
from walsup.boot import wait_report
from walsup.boot.current_settings import Current
from walsup.datadir import archive_subpath
from walsup.pid1_messages import Progress, Send
from walsup.settings import ArchiveUrl, FileArchive, Settings

_FIRST_RETRY_S = 0.5
_LONGEST_RETRY_S = 10.0


class ArchiveCheck(NamedTuple):
    """What a listing has found: a key of a cluster, None when there is none.

    `archive`: where the archive continues, in its sub-path if it has moved there.
    """

    archived: str | None
    archive: ArchiveUrl | FileArchive | None


def ask_archive(current: Current, send: Send) -> ArchiveCheck:
    """List the archive until it answers, each time with the current secrets.

    Only a successful listing allows initdb: 403, a missing bucket and silence do not (rule
    empty-means-listed).
    """
    failures, reported = 0, ""
    send(Progress("waiting for the archive"))
    while True:
        try:
            answer = _once(current.known)
        except Exception as raised:  # noqa: BLE001 (any failure is no answer)
            fault = classify(raised)
        else:
            send(Progress(""))
            return answer
        failures += 1
        reported = wait_report.tell(send, fault, reported)
        time.sleep(units.backoff(failures, _FIRST_RETRY_S, _LONGEST_RETRY_S))
        current.look()


def look(known: Settings) -> ArchiveCheck:
    """List the archive once; nothing is written.

    Raises:
        what the bucket raises; ValueError, KeyError: the note of its sub-path cannot be read.
    """
    return _look(known)[0]


def _once(known: Settings) -> ArchiveCheck:
    answer, sub = _look(known)
    if sub:
        archive_subpath.remember(known.pgdata, str(known.archive), sub)
    return answer


def _look(known: Settings) -> tuple[ArchiveCheck, str]:
    """Return what the archive holds, and the sub-path that it continues in, "" for none."""
    with closing(open_bucket(known)) as bucket:
        key = _first_key(bucket)
        if key is None:
            return ArchiveCheck(None, known.archive), ""
        from walsup.archive.ownership import relocation  # noqa: PLC0415 (asyncio: 54 ms, not for a first start)

        sub = relocation.find_now(bucket)
    if not sub:
        return ArchiveCheck(key, known.archive), ""
    beside = archive_subpath.below(known, sub)
    with closing(open_bucket(beside)) as bucket:
        return ArchiveCheck(_first_key(bucket), beside.archive), sub


def _first_key(bucket: Bucket) -> str | None:
    return bucket.first_key_now(BACKUP_FOLDER) or bucket.first_key_now(WAL_FOLDER) or None
