"""Notes what the next start checks: pg_control's checkpoints, and the encryption key."""

import asyncio

from walsup import log
from walsup.agent.context import AgentContext
from walsup.agent.snapshot import Previous
from walsup.archive.engine import encryption_key
from walsup.datadir.continuity import Ended
from walsup.postgres import pg_control

_EVERY_S = 1.0


async def continuity(context: AgentContext) -> None:
    """Note each checkpoint while postgres runs; claim the archive again for a new key."""
    if context.settings.archive is None:
        return
    last_written: tuple[int, int] | None = None
    has_shown_previous = False
    keys = encryption_key.key_files(context.settings)
    while not context.signals.sweeping.is_set():
        if context.board.snapshot.init.postgres_pid:
            written = _written(context)
            if written != last_written:
                await context.session.continuity.look()
                last_written = written
            if not has_shown_previous:
                has_shown_previous = True
                if (note := context.session.continuity.note) is not None and not note.is_first:
                    context.board.put(previous=_previous(note.before))
        current_keys = await asyncio.to_thread(encryption_key.key_files, context.settings)
        if current_keys != keys:
            keys = current_keys
            log.info("encryption.key_file_changed")
            context.signals.reopen.set()
        await asyncio.sleep(_EVERY_S)


def _previous(ended: Ended | None) -> Previous:
    if ended is None:
        return Previous(how="crashed", told_by="data directory")
    return Previous(how="stopped", verdict=ended.verdict, at=ended.at, told_by="data directory")


def _written(context: AgentContext) -> tuple[int, int]:
    """Return what changes with each write of pg_control."""
    status = (context.settings.pgdata / pg_control.PATH).stat()
    return status.st_mtime_ns, status.st_ino
