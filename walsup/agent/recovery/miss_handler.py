"""Answers restore_command in a restore: asked for every miss, over a socket in the run directory.

A hit never comes here. The answer is an exit code: 0 the file is fetched after all, 1 it is
absent, 255 recovery must not continue. An unclear answer of the bucket is asked again without end.
"""

import asyncio
from pathlib import Path
from typing import assert_never

from walsup import log
from walsup.agent.context import AgentContext
from walsup.agent.recovery import (
    miss_meaning,
    miss_outcomes,
    tablespace_directories,
    target_check,
)
from walsup.agent.recovery.miss_meaning import Miss
from walsup.agent.recovery.miss_outcomes import (
    Absent,
    Fetched,
    LookAgain,
    Outcome,
    Patience,
    Refuse,
    Retry,
)
from walsup.agent.recovery.miss_socket import serve
from walsup.agent.recovery.source import Source
from walsup.agent.recovery.timeline_claim import TimelineClaim, free_timeline_of
from walsup.agent.subject import Subject
from walsup.archive.catalog import listing
from walsup.archive.catalog.timelines import TimelineHistory
from walsup.archive.engine.restore_command import ENDED
from walsup.archive.faults import Fault
from walsup.archive.storage.fault_mapping import classify
from walsup.datadir.restore_state import Restored
from walsup.errors import ArchiveError, DataDirectoryError
from walsup.postgres.processes import recovery
from walsup.postgres.tablespaces.creation_records import Created
from walsup.postgres.wal import Kind, Segment, show_lsn
from walsup.postgres.wal import classify as kind_of
from walsup.postgres.wal_files import timeline_history

FETCHED, ABSENT, REFUSED = 0, 1, 255


class MissHandler:
    """Answers for one restore, until the archive ends."""

    def __init__(
        self,
        context: AgentContext,
        found: Restored,
        line: TimelineHistory,
        claim: TimelineClaim | None,
    ) -> None:
        self._context = context
        self._found = found
        self._line = line
        self._claim = claim
        self._source = Source(context, found)
        self._first = Segment.parse(found.first, found.segment_size)
        last = Segment.parse(found.last, found.segment_size)
        self._until = last if found.ends == "quiet" else None
        self._ended_file = context.run_dir / ENDED
        self._accept_hole = context.settings.restore_accept_hole or found.accept_hole
        self._free = 0

    async def serve(self) -> None:
        """Answer on the socket until cancelled."""
        await serve(self._context.run_dir, self._context.settings.pgdata, self.answer, self.admit)

    async def answer(self, name: str, path: Path) -> int:
        """Return the exit code for a file that was not fetched."""
        patience = Patience()
        while True:
            outcome = await self._try(name, path, patience.gap_looks)
            if isinstance(outcome, Retry):
                outcome = patience.weigh(outcome)
            match outcome:
                case Fetched():
                    self._context.board.clear(Subject.RESTORE)
                    return FETCHED
                case Absent():
                    self._context.board.clear(Subject.RESTORE)
                    return ABSENT
                case Refuse(fault):
                    return self._refuse(fault)
                case Retry(fault):
                    self._context.board.fault(Subject.RESTORE, fault)
                    await self._source.heed(fault)
                    await asyncio.sleep(patience.pause_s(outcome))
                case LookAgain():
                    pass
                case _:
                    assert_never(outcome)

    async def admit(self, name: str, path: Path, created: list[Created]) -> int:
        """Return the exit code for a segment that creates tablespaces."""
        segment = Segment.parse(name, self._found.segment_size)
        for one in created:
            fault = await tablespace_directories.make_ready(self._context, one)
            if fault is None:
                continue
            if await target_check.ends_before(self._context, self._found, path, segment, one.lsn):
                log.info("tablespace.not_reached", location=one.location, lsn=show_lsn(one.lsn))
                continue
            self._context.board.fault(Subject.RESTORE, fault)
            remedy = (
                f"{fault.cure}; or empty the data directory, and end the restore before this"
                f" record: WALSUP_RESTORE_TARGET_LSN={show_lsn(one.lsn)} with"
                " WALSUP_RESTORE_TARGET_INCLUSIVE=off"
            )
            self._context.pid1.explain_exit(
                f"{fault.problem}\nHINT: {remedy}", DataDirectoryError.exit_code
            )
            return REFUSED
        return FETCHED

    async def _try(self, name: str, path: Path, gap_looks: int) -> Outcome:
        try:
            return await self._look(name, path, gap_looks)
        except Exception as raised:  # noqa: BLE001 (whatever it is, it proves nothing)
            return Retry(classify(raised))

    async def _look(self, name: str, path: Path, gap_looks: int) -> Outcome:
        """Look once."""
        begin = miss_meaning.listed_from(name, self._line, self._first)
        bucket = self._source.bucket
        listed = frozenset([found async for found in listing.from_name(bucket, begin)])
        miss = miss_meaning.meaning_of(
            name, self._line, self._first, listed, self._accept_hole, until=self._until
        )
        log.info("miss.judged", name=name, means=miss.value, looks=gap_looks)
        match miss:
            case Miss.THERE:
                await self._source.look_after_reader()
                await self._source.fetch(name, path, self._found.segment_size)
                return Fetched()
            case Miss.HOLE:
                return miss_outcomes.gap(name, listed)
            case Miss.LOST:
                return miss_outcomes.lost(name)
            case Miss.END:
                return await self._end(name)
            case Miss.ABSENT:
                if kind_of(name) is Kind.HISTORY and int(name[:8], 16) > self._line.timeline:
                    return await self._new_timeline(name, path)
                return Absent()

    async def _end(self, name: str) -> Outcome:
        """Answer at the end of the archive, once no other start can add to it."""
        if self._claim is not None and not self._claim.new_timeline:
            await self._claim.held.wait()
            return LookAgain()  # another start may have written until a moment ago
        self._ended_file.write_text(name, encoding="ascii")
        if self._found.ends == "target":
            self._context.pid1.explain_exit(
                f"the archive ends before {name}, and recovery has not reached the target of the"
                f" restore ({self._found.target})\nHINT: run `walsup restore --list` to see what"
                " can be reached, change the target, and start again with an empty data directory",
                ArchiveError.exit_code,
            )
        return Absent()

    async def _new_timeline(self, name: str, path: Path) -> Outcome:
        """Answer a recovery that has ended and looks for a free number for its new timeline."""
        if self._found.ends != "target" and not self._ended():
            return self._stopped_early()
        if self._claim is not None:
            await self._claim.held.wait()
            free = self._claim.new_timeline
            if not free:
                return LookAgain()
        else:
            self._free = free = self._free or await free_timeline_of(
                self._source.bucket, self._line
            )
        if int(name[:8], 16) < free:
            # Objects exist under that number, but no history file: postgres must not use it.
            await asyncio.to_thread(path.write_text, timeline_history.TAKEN)
            return Fetched()
        return Absent()

    def _ended(self) -> str:
        try:
            return self._ended_file.read_text(encoding="ascii")
        except OSError:
            return ""

    def _stopped_early(self) -> Refuse:
        snapshot = self._context.board.snapshot
        at = recovery.segment(snapshot.init.postgres_pid) or snapshot.restore.segment or "a segment"
        return miss_outcomes.stopped_early(at, self._found.last)

    def _refuse(self, fault: Fault) -> int:
        self._context.board.fault(Subject.RESTORE, fault)
        self._context.pid1.explain_exit(
            f"{fault.problem}\nHINT: {fault.cure}", ArchiveError.exit_code
        )
        return REFUSED
