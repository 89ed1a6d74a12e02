"""Asking the archive what a directory that was a primary's is now (S19)."""

from pathlib import Path

from walsup.archive import catalog, clock, lineage, rank, survey
from walsup.archive.owner import Owner
from walsup.archive.rank import Rank, Self
from walsup.archive.survey import Reader
from walsup.archive.takeover import newest_timeline
from walsup.archive.window import Line
from walsup.postgres import control, history, memory

_MOST_READ = 16  # each costs a start of the engine


def own(pgdata: Path, archive: str) -> Self:
    """Give what this directory is.

    A promotion is in pg_control only after a checkpoint, and in pg_wal at once.

    Raises:
        WalsupError, OSError, ValueError: its files cannot be read.
    """
    found = control.read(pgdata)
    timeline = max(found.timeline, newest_timeline(pgdata))
    return Self(
        system_id=found.system_id,
        instance=memory.instance(pgdata),
        timeline=timeline,
        left=history.left(pgdata, timeline),
        owned=memory.owned(pgdata, archive),
        adoption=memory.adoption(pgdata, archive),
        known_epoch=memory.known_epoch(pgdata, archive),
    )


async def ask(reader: Reader, found: Self) -> Rank:
    """Read the owner object and the timelines above ours, and judge.

    Raises:
        what the bucket raises; FaultError: a history could not be fetched.
    """
    owner = await clock.owner(reader.bucket)
    lines: list[Line] = []
    if owner is not None and owner.instance != found.instance:
        lines = await _lines(reader, owner, found.timeline)
    empty = await catalog.is_empty(reader.bucket)
    return rank.judge(found, owner, lines, empty=empty)


async def _lines(reader: Reader, owner: Owner, own: int) -> list[Line]:
    """Give the line of the owner; of an older object those that may be its own.

    What else is there, under whatever number, is another's: nobody steps down for it.
    """
    known = lineage.line_of(owner)
    if known is not None:
        return [known] if known.timeline > own else []
    above = [n for n in await catalog.timelines(reader.bucket) if n > own]
    lines = await survey.readable_lines(reader, above[:_MOST_READ])
    return [line for line in lines if owner.timeline in [leg.timeline for leg in line.legs]]
