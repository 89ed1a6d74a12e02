"""Asking the archive what a directory that was a primary's is now (S19)."""

from pathlib import Path

from walsup.archive import catalog, clock, rank, survey
from walsup.archive.rank import Rank, Self
from walsup.archive.survey import Reader
from walsup.archive.takeover import newest_timeline
from walsup.archive.window import Line
from walsup.postgres import control, history, memory


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
    above = [n for n in await catalog.timelines(reader.bucket) if n > found.timeline]
    lines: list[Line] = []
    if owner is not None and owner.instance != found.instance:
        lines = [await survey.line(reader, number) for number in above]
    empty = await catalog.is_empty(reader.bucket)
    return rank.judge(found, owner, lines, empty=empty)
