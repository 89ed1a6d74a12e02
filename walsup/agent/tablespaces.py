"""A tablespace whose creation is about to be replayed: its directory is made, or why it cannot."""

import asyncio

from walsup import log
from walsup.agent.world import World
from walsup.archive.fault import Fault
from walsup.postgres import locations
from walsup.postgres.spacerecords import Created
from walsup.postgres.wal import show_lsn


async def make_ready(world: World, created: Created) -> Fault | None:
    """Make the directory of a tablespace; returns why it cannot be replayed here.

    Raises:
        WalsupError, OSError: the data directory cannot be read or written.
    """
    pgdata = world.settings.pgdata
    problem = await asyncio.to_thread(locations.make_ready, pgdata, created.location)
    at = show_lsn(created.lsn)
    if not problem:
        log.info(
            "tablespace.ready", number=created.number, location=created.location, created_at=at
        )
        return None
    return Fault(
        kind="tablespace",
        problem=f"tablespace {created.number}, created at {at} in {created.location}, cannot be"
        f" replayed here: {problem}",
        remedy=f"mount a volume of this instance's own at {created.location}, or make that"
        " directory for the database's user and empty, and start again",
    )
