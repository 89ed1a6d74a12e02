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


def own_segments(context: AgentContext, found: Backup) -> list[str]:
    """Return the names of the segments from a base backup's start to its end.

    Raises:
        OSError, ValueError: a history file cannot be read.
    """
    size = context.board.snapshot.segment_bytes
    timeline = found.timeline or context.board.snapshot.database.timeline
    line = TimelineHistory.of(timeline, timeline_history.left(context.settings.pgdata, timeline))
    numbers = range(found.start_lsn // size, max(0, found.finish_lsn - 1) // size + 1)
    return [
        Segment(timeline=line.at(number, size).timeline, number=number, size=size).name
        for number in numbers
    ]


async def lacking(context: AgentContext, bucket: Bucket, found: Backup) -> Lacks | None:
    """Return which part, or which WAL from its start to its end, the bucket lacks; None: none.

    Raises:
        what the bucket raises; OSError, ValueError: a list or history file cannot be read.
    """
    if missing := await part_check.missing(context, bucket, found):
        return Lacks(f"{', '.join(missing[:3])} is missing")
    wanted = own_segments(context, found)
    there: set[str] = set()
    async for name in listing.from_name(bucket, wanted[0]):
        if name[:24] > wanted[-1]:
            break
        there.add(name)
    lost = [name for name in wanted if name not in there]
    if not lost:
        return None
    pg_wal = context.settings.pgdata / "pg_wal"
    return Lacks(f"segment {lost[0]} is missing", all((pg_wal / n).exists() for n in lost))
