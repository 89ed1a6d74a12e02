"""Keeps the data directory's note of this run up to date: the next start relies on it."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from walsup import log
from walsup.archive.storage.fault_mapping import note
from walsup.datadir import continuity
from walsup.datadir.continuity import CheckpointPosition, Ended, Note
from walsup.postgres import pg_control

_WITHOUT_NOTE = "the note of this run in the data directory could not be written at its start"


class Continuity:
    """Reads and writes the note of one boot; every write waits for the disk in a thread."""

    def __init__(self, pgdata: Path, archive: str, boot: str) -> None:
        self._pgdata = pgdata
        self._archive = archive
        self._boot = boot
        self._writing = asyncio.Lock()
        self.position: CheckpointPosition | None = None

    @property
    def note(self) -> Note | None:
        """The note of this boot; None when there is none."""
        stored = continuity.read(self._pgdata, self._archive)
        return stored if stored is not None and stored.boot == self._boot else None

    async def look(self) -> None:
        """Note pg_control's last checkpoint.

        Raises:
            OSError, WalsupError: it cannot be read, or the note cannot be written.
        """
        control = await asyncio.to_thread(pg_control.read, self._pgdata)
        self.position = position = CheckpointPosition.of(control)

        def seen(note: Note) -> Note:
            return note._replace(position=position, running=True)

        await self._change(seen, control.system_id, position)

    async def settle(self) -> None:
        """Note that the owner object now requires the base backup that this run made necessary.

        Raises:
            OSError: the note cannot be written.
        """
        await self._change(lambda note: note._replace(broken=""))

    async def end(self) -> None:
        """Note where postgres has ended; without a shutdown checkpoint the note stays as it is."""
        try:
            control = await asyncio.to_thread(pg_control.read, self._pgdata)
            self.position = position = CheckpointPosition.of(control)

            def ended(note: Note) -> Note:
                return note._replace(position=position, running=not position.has_ended)

            await self._change(ended, control.system_id, position)
        except Exception as raised:  # noqa: BLE001 (the stop goes on; the next start is strict)
            note(raised)
            log.warning("continuity.not_noted", problem=f"{type(raised).__name__}: {raised}")

    async def close(self, verdict: str) -> None:
        """Note the verdict of this run's stop."""
        ended = Ended(verdict, time.time())
        try:
            await self._change(lambda note: note._replace(ended=ended))
        except OSError as raised:
            log.warning("verdict.not_noted", problem=str(raised))

    async def _change(
        self,
        change: Callable[[Note], Note],
        system_id: int = 0,
        position: CheckpointPosition | None = None,
    ) -> None:
        async with self._writing:
            note = await asyncio.to_thread(lambda: self.note)
            if note is None and position is not None:
                # Prepare could not write it (a full disk): the state before this run is not known.
                note = Note(
                    archive=self._archive,
                    system_id=system_id,
                    boot=self._boot,
                    start=position,
                    position=position,
                    broken=_WITHOUT_NOTE,
                )
                await asyncio.to_thread(continuity.write, self._pgdata, note)
            if note is None:
                return
            changed = change(note)
            if changed != note:
                await asyncio.to_thread(continuity.write, self._pgdata, changed)
