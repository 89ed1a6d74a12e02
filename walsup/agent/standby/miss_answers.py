"""Answers restore_command on a standby: what is absent or unknown is exit code 1, and soon.

A standby asks again by itself, and a code over 125 would end it. An archived file that was not
fetched in time is fetched here for the next question. Only this module hands over history files:
one that is not of the owner's line would be followed, or hide the right one.
"""

import asyncio
from pathlib import Path

from walsup import log
from walsup.agent.context import AgentContext
from walsup.agent.recovery import tablespace_directories
from walsup.agent.recovery.source import Source
from walsup.agent.standby.followed_timeline import ArchiveReader, Followed
from walsup.agent.subject import Subject
from walsup.archive.catalog import listing
from walsup.archive.engine.restore_command import STANDBY_PATIENCE_S
from walsup.archive.faults import Fault, FaultKind
from walsup.archive.storage.fault_mapping import classify
from walsup.datadir import markers
from walsup.errors import DataDirectoryError
from walsup.postgres import pg_control
from walsup.postgres.tablespaces.creation_records import Created
from walsup.postgres.wal import Kind, Segment
from walsup.postgres.wal import classify as kind_of
from walsup.postgres.wal_files import pages, timeline_history

FETCHED, ABSENT = 0, 1
_ANSWER_S = STANDBY_PATIENCE_S - 0.25
_KEPT = ".walsup-fetched-"


class MissAnswers:
    """Answers for one standby."""

    def __init__(self, context: AgentContext, followed: Followed, region: str | None) -> None:
        self._context = context
        self._followed = followed
        origin = ArchiveReader(own=True, segment_size=followed.segment_bytes, region=region)
        self.source = Source(context, origin)
        self._pg_wal = context.settings.pgdata / "pg_wal"
        self._fetches: dict[str, asyncio.Task[None]] = {}

    def sweep(self) -> None:
        """Remove the files that cancelled fetches have left."""
        for pattern in (f"{_KEPT}*", "RECOVERYXLOG.*"):
            for path in self._pg_wal.glob(pattern):
                path.unlink(missing_ok=True)

    def end(self) -> None:
        """Cancel running fetches."""
        for task in self._fetches.values():
            task.cancel()
        self.sweep()

    async def answer(self, name: str, path: Path) -> int:
        """Return restore_command's exit code for a file that the client did not fetch."""
        fault: Fault | None = None
        try:
            async with asyncio.timeout(_ANSWER_S):
                code = await self._look(name, path)
        except TimeoutError:
            fault = Fault(
                FaultKind.TIMEOUT, f"{name}: the archive has not answered within {_ANSWER_S:g} s"
            )
        except Exception as raised:  # noqa: BLE001 (whatever it is, it is not there now)
            fault = classify(raised)
        if fault is None:
            self._context.board.clear(Subject.ARCHIVE)
            return code
        self._context.board.fault(Subject.ARCHIVE, fault)
        await self.source.heed(fault)
        return ABSENT

    async def admit(self, name: str, path: Path, created: list[Created]) -> int:
        """Return the exit code for a segment that creates tablespaces; a bad one ends the standby.

        It gets no answer then: after one, postgres would ask its primary for the same segment.
        """
        for one in created:
            if fault := await tablespace_directories.make_ready(self._context, one):
                self._context.board.fault(Subject.STANDBY, fault)
                log.error("segment.withheld", name=name, path=str(path))
                self._context.pid1.request_stop(
                    f"{fault.problem}\nHINT: {fault.cure}", DataDirectoryError.exit_code
                )
                await asyncio.Event().wait()
        return FETCHED

    async def _look(self, name: str, path: Path) -> int:
        match kind_of(name):
            case Kind.HISTORY:
                return await self._history(name, path)
            case Kind.SEGMENT:
                return await self._segment(name, path)
            case _:
                return ABSENT

    async def _segment(self, name: str, path: Path) -> int:
        kept, size = self._pg_wal / f"{_KEPT}{name}", self._followed.segment_bytes
        if not kept.exists():
            if not await listing.is_archived(self.source.bucket, name):
                return ABSENT
            task = self._fetches.get(name)
            if task is None or task.done():
                task = self._fetches[name] = asyncio.create_task(
                    self.source.fetch(name, kept, size)
                )
            # When this question times out, the fetch continues for the next one.
            await asyncio.shield(task)
        self._fetches.pop(name, None)
        return await asyncio.to_thread(hand_over, kept, path, self._pg_wal / name, size)

    def _leads_here(self) -> bool:
        """Return whether this disk has no WAL after the point where the owner's line left it.

        A start ends when the newest history does not lead to its own position.
        """
        control, line = pg_control.read(self._context.settings.pgdata), self._followed.line
        leg = next(
            (leg for leg in (line.legs if line else ()) if leg.timeline == control.timeline), None
        )
        if leg is None or leg.end_lsn is None:
            return leg is not None
        if control.checkpoint_lsn > leg.end_lsn:
            return False
        size = self._followed.segment_bytes
        for path in self._pg_wal.glob(f"{control.timeline:08X}????????????????"):
            start_lsn = Segment.parse(path.name, size).start_lsn
            if start_lsn + pages.reach(path, path.name, size) > leg.end_lsn + pages.PAGE_BYTES:
                return False
        return True

    async def _history(self, name: str, path: Path) -> int:
        """Hand over the history of a timeline that leads to the owner's.

        A start would follow the newest number that it finds, or end because it cannot. A promotion
        takes the number after the newest: then a used one must be found.
        """
        number, context, followed = int(name[:8], 16), self._context, self._followed
        bucket = self.source.bucket
        await followed.look(bucket)
        if followed.line is None and followed.timeline > 1:
            scratch = context.run_dir / "followed.history"
            await self.source.fetch(f"{followed.timeline:08X}.history", scratch, 0)
            followed.learn(scratch.read_text(encoding="utf-8"))
        started = context.board.snapshot.database.accepting
        if number in followed.timelines:
            if not started and not await asyncio.to_thread(self._leads_here):
                return ABSENT
            if not await listing.is_archived(bucket, name):
                return ABSENT
            await self.source.fetch(name, path, 0)
            log.info("history.followed", name=name)
            return FETCHED
        claimed = markers.promotes_to(context.settings.pgdata)
        if not started or claimed is None or number <= followed.timeline:
            return ABSENT
        if number < claimed if claimed else await followed.has_taken(bucket, number):
            await asyncio.to_thread(path.write_text, timeline_history.TAKEN)
            return FETCHED
        return ABSENT


def hand_over(kept: Path, wanted: Path, own: Path, segment_bytes: int) -> int:
    """Put a fetched segment at its target path, unless pg_wal has more of it.

    Streamed and acknowledged WAL may reach further than the archived part of the segment.
    """
    name = own.name
    if own.exists() and pages.reach(own, name, segment_bytes) > pages.reach(
        kept, name, segment_bytes
    ):
        log.info("segment.kept", name=name, why="pg_wal has more of it than the archive")
        kept.unlink(missing_ok=True)
        return ABSENT
    kept.replace(wanted)
    return FETCHED
