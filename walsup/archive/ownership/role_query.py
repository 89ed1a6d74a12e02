"""Asks the archive for the role of a former primary's directory (rule role-from-the-archive)."""

from pathlib import Path

from walsup.archive.catalog import commit_times, inventory, listing, owner_line
from walsup.archive.catalog.archive_reader import Reader
from walsup.archive.catalog.timelines import TimelineHistory
from walsup.archive.owner_record import Owner
from walsup.archive.ownership import role
from walsup.archive.ownership.role import Rank, ThisInstance
from walsup.datadir import markers
from walsup.postgres import pg_control
from walsup.postgres.wal_files import timeline_history

_MOST_READ = 16  # each costs a start of the engine


def own(pgdata: Path, archive: str) -> ThisInstance:
    """Return the state of this directory.

    A promotion is in pg_control only after a checkpoint, but in pg_wal at once.

    Raises:
        WalsupError, OSError, ValueError: its files cannot be read.
    """
    found = pg_control.read(pgdata)
    timeline = max(found.timeline, timeline_history.newest(pgdata))
    return ThisInstance(
        system_id=found.system_id,
        instance=markers.instance(pgdata),
        timeline=timeline,
        left=timeline_history.left(pgdata, timeline),
        owned=markers.owned(pgdata, archive),
        adoption=markers.adoption(pgdata, archive),
        known_epoch=markers.known_epoch(pgdata, archive),
    )


async def ask(reader: Reader, found: ThisInstance) -> Rank:
    """Read the owner object and the timelines above this one, and judge.

    Raises:
        what the bucket raises; FaultError: a history could not be fetched.
    """
    owner = await commit_times.owner(reader.bucket)
    lines: list[TimelineHistory] = []
    if owner is not None and owner.instance != found.instance:
        lines = await _lines(reader, owner, found.timeline)
    empty = await listing.is_empty(reader.bucket)
    return role.decide_role(found, owner, lines, empty=empty)


async def _lines(reader: Reader, owner: Owner, own: int) -> list[TimelineHistory]:
    """Return the line of the owner; for an older object, the lines that may be its own.

    Any other timeline, under whatever number, is another's: no instance is demoted because of it.
    """
    known = owner_line.line_of(owner)
    if known is not None:
        return [known] if known.timeline > own else []
    above = [n for n in await listing.timelines(reader.bucket) if n > own]
    lines = await inventory.readable_lines(reader, above[:_MOST_READ])
    return [line for line in lines if owner.timeline in [leg.timeline for leg in line.legs]]
