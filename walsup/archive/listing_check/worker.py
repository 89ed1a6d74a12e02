"""The process that lists an archive for its audit. It can be killed at any time.

It reads its request (JSON) from standard input, takes the credentials from the run directory, and
writes lines of JSON: `{"pages": n}` with each answer of the bucket, then `found` or `fault`. It
also returns, with `missing`, which parts of one base backup are absent, and, with `unlisted`, which
files of the data directory its list does not name.
"""

import asyncio
import json
import os
import resource
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from walsup import log, settings
from walsup.archive.catalog import inventory
from walsup.archive.catalog.scope import Counted, Scope
from walsup.archive.listing_check.backup_walk import BackupWalk, Sentinel
from walsup.archive.listing_check.findings import RoundFindings
from walsup.archive.listing_check.unlisted_files import Names, Places, unlisted
from walsup.archive.listing_check.wal_walk import WalWalk
from walsup.archive.paths import BACKUP_FOLDER, WAL_FOLDER
from walsup.archive.storage.bucket import Bucket, Listed, open_bucket
from walsup.archive.storage.fault_mapping import classify, is_absent
from walsup.datadir import archive_subpath
from walsup.redaction import redact_known

_MOST_CPU_S = 600
_NICENESS = 3


def main(run_dir: str) -> None:
    """Run one round."""
    sys.excepthook = log.uncaught
    log.configure(os.environ.get("WALSUP_LOG_FORMAT", "auto"), "audit")
    log.redact_with(redact_known)
    os.nice(_NICENESS)
    resource.setrlimit(resource.RLIMIT_CPU, (_MOST_CPU_S, _MOST_CPU_S))
    question = json.loads(sys.stdin.buffer.read())
    try:
        answer: dict[str, Any] = asyncio.run(_answer(run_dir, question))
    except Exception as raised:  # noqa: BLE001 (whatever it is, the agent shows it)
        fault = classify(raised)
        answer = {"fault": [fault.kind, fault.problem, fault.remedy]}
    _tell(answer)


def _tell(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


async def _answer(run_dir: str, question: dict[str, Any]) -> dict[str, Any]:
    """Run a round, or look for the parts of one base backup."""
    content = json.loads((Path(run_dir) / "agent.json").read_text(encoding="utf-8"))
    known = archive_subpath.where(settings.load(content["environment"]))
    bucket = open_bucket(known._replace(region=known.region or question["region"]))
    try:
        if (backup := question.get("backup")) is not None:
            return {"missing": await inventory.missing_parts(bucket, **backup)}
        if (compared := question.get("compared")) is not None:
            return {"unlisted": await _unlisted(bucket, known.pgdata, **compared)}
        return {"found": (await look(bucket, Scope.from_json(question["scope"]))).to_json()}
    finally:
        close = getattr(bucket, "close", None)
        if close is not None:
            close()


async def _unlisted(bucket: Bucket, pgdata: Path, name: str, before: float) -> list[str] | None:
    """Return files that the base backup's list lacks. None: it has no list."""
    names, places = Names(), Places(pgdata)
    async for files in inventory.held_files(bucket, name):
        names.add(places.real(held.file) for held in files)
    return unlisted(pgdata, names, before, places) if names else None


class _Pages:
    """Counts the answers, and reports the count."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self.count = 0

    async def objects(self, under: str, after: str = "") -> AsyncIterator[Listed]:
        async for page in self._bucket.tree(under, after):
            self.count += 1
            _tell({"pages": self.count})
            for listed in page:
                yield listed


async def look(bucket: Bucket, scope: Scope) -> RoundFindings:
    """List base backups and WAL, and compare them with the scope.

    Raises:
        what the bucket raises.
    """
    pages = _Pages(bucket)
    backup_walk = BackupWalk(scope)
    async for listed in pages.objects(BACKUP_FOLDER):
        if (sentinel := backup_walk.add(listed)) is not None:
            await _compare(bucket, backup_walk, sentinel)
    backups = backup_walk.end()
    begin = begins(scope, backups)
    walk = WalWalk(scope, begin)
    after = f"{WAL_FOLDER}/{scope.segment(begin - 1).name}~" if 1 < begin == scope.first else ""
    async for listed in pages.objects(WAL_FOLDER, after):
        walk.add(listed)
    walk.end()
    for backup in backups:
        walk.branches.add_backup(backup)
    return RoundFindings(
        backups=backups,
        missing=tuple(walk.missing),
        more_missing=walk.more_missing,
        suspects=tuple(walk.suspects),
        more_suspects=walk.more_suspects,
        damaged=tuple(walk.damaged),
        twice=tuple(walk.twice),
        branches=walk.branches.found(),
        branches_until=walk.branches.newest_at,
        objects=walk.objects + backup_walk.objects,
        ignored=walk.ignored + backup_walk.ignored,
        pages=pages.count,
        begin=begin if begin <= scope.head else -1,
        day=walk.day,
        round=walk.round,
        known=walk.known,
        blocks=walk.digests,
        least_unshown=walk.least_unshown,
        histories=walk.histories,
    )


def begins(scope: Scope, backups: tuple[Counted, ...]) -> int:
    """Return where to begin: at the oldest base backup's first segment, or at the newest day."""
    oldest = min(
        (b.start_lsn // scope.size for b in backups if _is_ours(scope, b)),
        default=scope.window if scope.window >= 0 else scope.head + 1,
    )
    return max(oldest, scope.first)


def _is_ours(scope: Scope, backup: Counted) -> bool:
    return (
        backup.start_lsn > 0
        and backup.system_id in (0, scope.system_id)
        and scope.line.has(backup.timeline, backup.finish_lsn)
    )


async def _compare(bucket: Bucket, walk: BackupWalk, sentinel: Sentinel) -> None:
    try:
        content = (await bucket.get(sentinel.key)).content
        parts = await _part_names(bucket, sentinel)
    except FileNotFoundError as raised:
        if not is_absent(raised):
            raise
        return  # removed after it was listed
    walk.compare(sentinel, content, parts)


async def _part_names(bucket: Bucket, sentinel: Sentinel) -> frozenset[str] | None:
    """Return the parts that a backup's list names. None: the list cannot be read."""
    if not sentinel.has_list:
        return frozenset()
    try:
        return await inventory.part_names(bucket, sentinel.name)
    except ValueError:
        return None


if __name__ == "__main__":
    main(sys.argv[1])
