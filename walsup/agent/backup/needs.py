"""Checks in the bucket for the objects that a base backup needs to be restored."""

from typing import NamedTuple

from walsup.agent.audit import part_check
from walsup.agent.context import AgentContext
from walsup.archive.catalog import listing
from walsup.archive.catalog.base_backups import Backup
from walsup.archive.catalog.timelines import TimelineHistory
from walsup.archive.storage.bucket import Bucket
from walsup.postgres.wal import Segment
from walsup.postgres.wal_files import timeline_history


class Lacks(NamedTuple):
    """What a base backup lacks. `comes`: pg_wal still has it, and it is pushed again."""

    problem: str
    comes: bool = False


def own_segments(context: AgentContext, backup: Backup) -> list[str]:
    """Return the names of the segments from a base backup's start to its end.

    Raises:
        OSError, ValueError: a history file cannot be read.
    """
    size = context.board.snapshot.segment_bytes
    timeline = backup.timeline or context.board.snapshot.database.timeline
    line = TimelineHistory.of(timeline, timeline_history.left(context.settings.pgdata, timeline))
    numbers = range(backup.start_lsn // size, max(0, backup.finish_lsn - 1) // size + 1)
    return [
        Segment(timeline=line.at(number, size).timeline, number=number, size=size).name
        for number in numbers
    ]


async def lacking(context: AgentContext, bucket: Bucket, backup: Backup) -> Lacks | None:
    """Return which part, or which WAL or history file, the bucket lacks; None: none.

    Raises:
        what the bucket raises; OSError, ValueError: a list or history file cannot be read.
    """
    if missing := await part_check.missing(context, bucket, backup):
        return Lacks(f"{', '.join(missing[:3])} is missing")
    timeline = context.board.snapshot.database.timeline
    if timeline and (problem := await listing.history_problem(bucket, timeline)):
        path = context.settings.pgdata / "pg_wal" / f"{timeline:08X}.history"
        return Lacks(problem, comes=path.exists())
    names = own_segments(context, backup)
    archived: set[str] = set()
    async for name in listing.from_name(bucket, names[0]):
        if name[:24] > names[-1]:
            break
        archived.add(name)
    lost = [name for name in names if name not in archived]
    if not lost:
        return None
    pg_wal = context.settings.pgdata / "pg_wal"
    return Lacks(f"segment {lost[0]} is missing", all((pg_wal / n).exists() for n in lost))
