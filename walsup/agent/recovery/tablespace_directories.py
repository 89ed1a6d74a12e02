"""Creates directories of tablespaces before a replay needs them, and locks those in use."""

import asyncio
import fcntl
import os
from collections.abc import Iterable
from pathlib import Path

from walsup import log
from walsup.agent.context import AgentContext
from walsup.archive.faults import Fault, FaultKind
from walsup.errors import WalsupError
from walsup.postgres.tablespaces import locations
from walsup.postgres.tablespaces.creation_records import Created
from walsup.postgres.wal import show_lsn

Link = tuple[str, Path]  # number and directory


class TablespaceLocks:
    """Locks on the directories of this server's tablespaces, for as long as its agent runs."""

    def __init__(self, pgdata: Path) -> None:
        self._pgdata = pgdata
        self._held: dict[Link, int] = {}

    def hold(self, links: Iterable[Link]) -> list[Link]:
        """Lock new directories, release removed ones; return those that another server holds.

        A file system without locks shows no other server.
        """
        wanted = set(links)
        for gone in self._held.keys() - wanted:
            os.close(self._held.pop(gone))
        return sorted(link for link in wanted - self._held.keys() if not self._lock(link))

    def release(self) -> None:
        """Release all locks."""
        self.hold(())

    def _lock(self, link: Link) -> bool:
        try:
            directory = link[1] / locations.version_folder(self._pgdata)
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        except (OSError, WalsupError):
            return True  # not mounted, or removed again: postgres reports it
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except OSError:
            os.close(descriptor)
            return True
        self._held[link] = descriptor
        return True


def unkept(pgdata: Path, links: Iterable[Link]) -> Fault | None:
    """Return the fault of tablespaces in the container's own file system, None without one."""
    places = [place for _, place in sorted(links) if locations.on_no_volume(pgdata, place)]
    if not places:
        return None
    named = ", ".join(map(str, places))
    return Fault(
        kind=FaultKind.TABLESPACE,
        problem=f"tablespaces in {named} are in the container's own file system, and are lost with"
        " the container: postgres does not start without them",
        remedy=f"stop the database, move what is in {places[0]} to a volume, and mount the volume"
        " at that path; or drop the tablespace and create it on a volume",
    )


async def make_ready(context: AgentContext, created: Created) -> Fault | None:
    """Create the directory of a tablespace; return why it cannot be replayed here.

    Raises:
        WalsupError, OSError: the data directory cannot be read or written.
    """
    pgdata = context.settings.pgdata
    problem = await asyncio.to_thread(locations.make_ready, pgdata, created.location)
    at = show_lsn(created.lsn)
    if not problem:
        log.info(
            "tablespace.ready", number=created.number, location=created.location, created_at=at
        )
        return None
    return Fault(
        kind=FaultKind.TABLESPACE,
        problem=f"tablespace {created.number}, created at {at} in {created.location}, cannot be"
        f" replayed here: {problem}",
        remedy=f"mount a volume that only this instance uses at {created.location}, or create that"
        " directory, empty and owned by the database's user; then start again",
    )
