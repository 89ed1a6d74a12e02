"""Watching what the next start is held to: pg_control's checkpoints, and the encryption key."""

import asyncio

from walsup import log
from walsup.agent.context import World
from walsup.agent.state import Previous
from walsup.archive.engine import encryption_key
from walsup.datadir.continuity import Ended
from walsup.postgres import pg_control

_EVERY_S = 1.0


async def continuity(world: World) -> None:
    """Note each checkpoint while postgres runs; have the archive claimed again for another key."""
    if world.settings.archive is None:
        return
    seen: tuple[int, int] | None = None
    shown = False
    keys = encryption_key.key_files(world.settings)
    while not world.sweeping.is_set():
        if world.board.snapshot.init.postgres_pid:
            written = _written(world)
            if written != seen:
                await world.continuity.look()
                seen = written
            if not shown:
                shown = True
                if (note := world.continuity.note) is not None and not note.is_first:
                    world.board.put(previous=_previous(note.before))
        found = await asyncio.to_thread(encryption_key.key_files, world.settings)
        if found != keys:
            keys = found
            log.info("encryption.key_file_changed")
            world.reopen.set()
        await asyncio.sleep(_EVERY_S)


def _previous(ended: Ended | None) -> Previous:
    if ended is None:
        return Previous(how="crashed", told_by="data directory")
    return Previous(how="stopped", verdict=ended.verdict, at=ended.at, told_by="data directory")


def _written(world: World) -> tuple[int, int]:
    """Return what changes with each write of pg_control."""
    status = (world.settings.pgdata / pg_control.PATH).stat()
    return status.st_mtime_ns, status.st_ino
