"""Creates directories of tablespaces before a replay needs them, and locks those in use."""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Iterable
from pathlib import Path

from walsup import log
from walsup.agent.context import AgentContext
from walsup.archive.faults import Fault, FaultKind
from walsup.datadir import directory_users
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
        self._wal: int | None = None

    def hold(self, links: Iterable[Link]) -> list[Link]:
        """Lock new directories, release removed ones; return those that another server holds.

        A file system without locks shows no other server.
        """
        wanted = set(links)
        for gone in self._held.keys() - wanted:
            os.close(self._held.pop(gone))
        return sorted(link for link in wanted - self._held.keys() if not self._lock(link))

    def hold_wal(self) -> None:
        """Lock and mark the target of pg_wal, so that no start of a copy empties it."""
        link = self._pgdata / "pg_wal"
        if self._wal is None and link.is_symlink():
            with contextlib.suppress(OSError):  # it is gone, or another server's
                self._wal = self._locked(link.resolve())

    def release(self) -> None:
        """Release all locks."""
        self.hold(())
        if self._wal is not None:
            os.close(self._wal)
            self._wal = None

    def _lock(self, link: Link) -> bool:
        try:
            directory = link[1] / locations.version_folder(self._pgdata)
            self._held[link] = self._locked(directory, marked=link[1])
        except BlockingIOError:
            return False
        except (OSError, WalsupError):
            return True  # no locks here, not mounted, or removed again: postgres reports it
        return True

    def _locked(self, directory: Path, marked: Path | None = None) -> int:
        """Return the descriptor that holds the lock; mark the directory as this server's.

        Raises:
            BlockingIOError: another server holds it; OSError: it cannot be locked.
        """
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise
        except OSError:
            os.close(descriptor)
            self._mark(marked or directory)  # no locks here: the mark alone shows its user
            raise
        self._mark(marked or directory)
        return descriptor

    def _mark(self, directory: Path) -> None:
        with contextlib.suppress(OSError):  # the data directory is incomplete
            directory_users.put(directory, directory_users.data_directory(self._pgdata))


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
