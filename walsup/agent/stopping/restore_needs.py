"""Checks, before a verdict, that the archive has what a restore of this database needs."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from walsup.agent.audit import part_check
from walsup.agent.backup import valid_backups
from walsup.agent.context import AgentContext
from walsup.archive.catalog import base_backups, listing
from walsup.archive.catalog.base_backups import Backup
from walsup.archive.catalog.timelines import TimelineHistory, reach
from walsup.archive.engine import decryption
from walsup.archive.storage.bucket import Bucket
from walsup.postgres.pg_control import ControlData
from walsup.postgres.wal import Segment
from walsup.postgres.wal_files import timeline_history

# Only the newest; the audit by listing checks older ones.
_MOST_SEGMENTS = 20_000
_SHOWN = 3


class Restorable(NamedTuple):
    """The base backup that a restore would begin with, and what is `missing` ("": nothing).

    `backup`: its name, and a note when it was listed but cannot be decrypted here.
    """

    backup: str
    missing: str


async def look(
    context: AgentContext, bucket: Bucket, control: ControlData, last: Segment
) -> Restorable:
    """Look for the newest base backup with its parts, and for the WAL from its start to `last`.

    Raises:
        what the bucket raises.
    """
    line = TimelineHistory.of(
        control.timeline, timeline_history.left(context.settings.pgdata, control.timeline)
    )
    backups = await base_backups.backups(bucket)
    fitting = [
        backup
        for backup in valid_backups.counted_at_end(context, backups, control)
        if line.has(backup.timeline or line.timeline, backup.finish_lsn)
        and backup.name not in context.board.snapshot.audit.unfit_backups
    ]
    if not fitting:
        return Restorable("", _no_backup(context, backups))
    newest = fitting[-1]
    missing = context.session.unreadable.get(newest.name, "")
    missing = missing or await _missing_part(context, bucket, backups, newest)
    missing = missing or await _missing_wal(bucket, line, newest, last)
    missing = missing or await listing.history_problem(bucket, line.timeline)
    unread = ", listed and not read" if decryption.lacking(context.settings) else ""
    return Restorable(f"{newest.name}{unread}", missing)


def _no_backup(context: AgentContext, backups: Sequence[Backup]) -> str:
    backup = context.board.snapshot.backup
    state = ""
    if backup.state not in ("unknown", "none"):
        state = f"; base backup of this run: {backup.state}"
    if not backups:
        return f"the archive has no base backup, and no restore can begin without one{state}"
    because = context.session.lease.owner.backups_because if context.session.lease else ""
    unfit = context.board.snapshot.audit.unfit_backups
    broken = [f"{one.name}: {unfit[one.name]}" for one in backups if one.name in unfit]
    why = because or "; ".join(broken[-_SHOWN:])
    why = why or "they belong to another cluster or branch, or begin before a gap"
    return (
        f"none of the {len(backups)} base backups in the archive counts for a restore up to here"
        f" ({why}){state}"
    )


async def _missing_part(
    context: AgentContext, bucket: Bucket, backups: Iterable[Backup], newest: Backup
) -> str:
    """Return what is missing of a base backup, or of those that it is a delta of."""
    by_name = {backup.name: backup for backup in backups}
    name = newest.name
    while name:
        if (backup := by_name.pop(name, None)) is None:
            return f"base backup {name}, of which {newest.name} is a delta, is not in the archive"
        if missing := await part_check.missing(context, bucket, backup):
            return f"base backup {name} is incomplete: {', '.join(missing[:_SHOWN])} is missing"
        name = backup.delta_from
    return ""


async def _missing_wal(bucket: Bucket, line: TimelineHistory, newest: Backup, last: Segment) -> str:
    """Return the first segment that is missing between the backup's start and `last`."""
    size = last.size
    first = max(newest.start_lsn // size, last.number - _MOST_SEGMENTS)
    if first > last.number:
        return ""
    start = Segment(timeline=line.at(first, size).timeline, number=first, size=size)
    names = [name async for name in listing.from_name(bucket, _lowest(line, start).name)]
    end = reach(line, start, names).end
    if end is not None and end.number >= last.number:
        return ""
    number = start.number if end is None else end.number + 1
    lost = Segment(timeline=line.at(number, size).timeline, number=number, size=size)
    return (
        f"{lost.name}, which a restore from base backup {newest.name} needs, is not in the bucket"
    )


def _lowest(line: TimelineHistory, start: Segment) -> Segment:
    """Return the lowest name under which postgres would accept the segment."""
    return min(line.candidates(start.number, start.size), key=lambda segment: segment.timeline)
