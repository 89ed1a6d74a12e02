"""Checks whether a restore ends before a record, by reading the WAL just before it."""

import shutil
import tempfile
from datetime import datetime
from pathlib import Path

from walsup import log
from walsup.agent.context import AgentContext
from walsup.archive.catalog import waldump
from walsup.archive.catalog.waldump import Seen
from walsup.datadir.restore_state import Restored
from walsup.postgres.wal import Segment, parse_lsn
from walsup.settings import Settings

# pg_waldump looks for files of one timeline; a page may be of an earlier one.
_AS_TIMELINE = 1


async def ends_before(
    context: AgentContext, restored: Restored, path: Path, segment: Segment, lsn: int
) -> bool:
    """Return whether recovery ends before the record at `lsn`, of a segment that lies at `path`.

    Postgres reads ahead, up to the next segment, so the previous one is read too. False when that
    is not known.
    """
    if restored.ends != "target":
        return False
    pg_waldump = _pg_waldump(context)
    if not pg_waldump:
        return False
    settings, records = context.settings, Seen()
    name = settings.restore_target_name or ""
    xid = int(settings.restore_target_xid) & 0xFFFFFFFF if settings.restore_target_xid else None
    with tempfile.TemporaryDirectory(prefix="records-", dir=context.run_dir) as folder:
        first = _place(Path(folder), path, segment)
        try:
            await waldump.scan(
                pg_waldump, Path(folder), first, records, name=name, xid=xid, end_lsn=lsn
            )
        except (OSError, TimeoutError) as fault:
            log.warning("records.unread", problem=str(fault))
            return False
    return _is_met(settings, records, lsn)


def _is_met(settings: Settings, records: Seen, lsn: int) -> bool:
    """Return whether the WAL before `lsn` reaches the target.

    Source: PostgreSQL 15, xlogrecovery.c, recoveryStopsBefore and recoveryStopsAfter.
    """
    if settings.restore_target_immediate:
        return records.backup_end_lsn is not None
    if settings.restore_target_name:
        return records.name_lsn is not None
    if settings.restore_target_xid:
        return records.xid_lsn is not None
    if settings.restore_target_lsn:
        target = parse_lsn(settings.restore_target_lsn)
        last_lsn = lsn if not settings.restore_target_inclusive else records.last_lsn
        return last_lsn is not None and last_lsn >= target
    if settings.restore_target_time and records.last_end is not None:
        at = datetime.fromisoformat(settings.restore_target_time)
        return records.last_end > at or (
            records.last_end == at and not settings.restore_target_inclusive
        )
    return False


def _place(folder: Path, path: Path, segment: Segment) -> Segment:
    """Link a segment and the one before it for pg_waldump; return the first of them."""
    current = Segment(timeline=_AS_TIMELINE, number=segment.number, size=segment.size)
    (folder / current.name).symlink_to(path)
    before = current.previous()
    kept = sorted(path.parent.glob(f"????????{before.name[8:]}"))
    if not kept or before.number == current.number:
        return current
    (folder / before.name).symlink_to(kept[-1])
    return before


def _pg_waldump(context: AgentContext) -> str:
    bindir = context.settings.pg_bindir
    return shutil.which("pg_waldump", path=str(bindir) if bindir else context.path) or ""
