"""Checks the history files of the database's timelines in the archive, and pushes them again.

PostgreSQL reads a timeline's history file before any of its segments: without it no restore can
follow the timeline. Neither engine writes over a history file that exists: wal-push ignores
WALG_PREVENT_WAL_OVERWRITE=false there.
"""

import asyncio
import time

from walsup import log
from walsup.agent.audit import board_report, push_again
from walsup.agent.context import AgentContext
from walsup.archive.catalog.archive_reader import PERMANENT
from walsup.archive.catalog.scope import Scope, Stamp
from walsup.archive.engine import decryption
from walsup.archive.engine.adapter import Engine
from walsup.archive.engine.scratch import scratch
from walsup.archive.faults import FaultError
from walsup.archive.listing_check.findings import RoundFindings
from walsup.archive.ownership import divergence
from walsup.postgres.wal_files import timeline_history

_AGAIN_S = 30.0
_SCRATCH = "audit-history"
_SCRATCH_BYTES = 1 << 20


class HistoryFiles:
    """Remembers which objects were compared with pg_wal, and when each was pushed."""

    def __init__(self, context: AgentContext) -> None:
        self._context = context
        self._compared: dict[str, Stamp] = {}
        self._pushed: dict[str, tuple[Stamp | None, float]] = {}
        self.problem = ""

    async def check(self, scope: Scope, found: RoundFindings) -> str:
        """Return what is wrong with a history file, "" when nothing is; push what is wrong.

        Only a full round lists them all; after another round the last result stands. The files of
        earlier timelines are pushed again too, but a restore does not need them.
        """
        if scope.first != 0:
            return self.problem
        self.problem = await self._wrong(scope.line.timeline, found)
        for timeline in await asyncio.to_thread(self._earlier, scope, found):
            await self._wrong_earlier(timeline, found)
        if self.problem:
            board_report.history_file(self._context, self.problem)
        return self.problem

    async def _wrong(self, timeline: int, found: RoundFindings) -> str:
        """Return what is wrong with a timeline's history file; push pg_wal's if that may help."""
        if timeline == 1:
            return ""
        name = f"{timeline:08X}.history"
        if (stamp := found.histories.get(name)) is None:
            problem, is_lost = f"{name} is missing in the archive", True
        elif stamp.size_bytes == 0:
            problem, is_lost = f"{name} is empty in the archive", True
        elif self._compared.get(name) == stamp:
            return ""
        else:
            problem, is_lost = await self._differs(name, stamp)
        if is_lost:
            await self._push(name, stamp, problem)
        elif not problem and stamp is not None:
            self._pushed.pop(name, None)
            self._compared[name] = stamp
        return problem

    async def _wrong_earlier(self, timeline: int, found: RoundFindings) -> None:
        name = f"{timeline:08X}.history"
        stamp = found.histories.get(name)
        if stamp is None or stamp.size_bytes == 0:
            await self._push(name, stamp, f"{name} is missing or empty in the archive")

    def _earlier(self, scope: Scope, found: RoundFindings) -> list[int]:
        """Return the earlier timelines that the archive has WAL of, and pg_wal the history."""
        pg_wal = self._context.settings.pgdata / "pg_wal"
        earlier = []
        for leg in scope.line.legs[:-1]:
            path = pg_wal / f"{leg.timeline:08X}.history"
            is_kept = 0 <= found.begin <= (leg.end_lsn or 0) // scope.size
            if leg.timeline > 1 and is_kept and path.exists():
                content = path.read_text(encoding="utf-8", errors="replace")
                if content not in ("", timeline_history.TAKEN):
                    earlier.append(leg.timeline)
        return earlier

    async def _differs(self, name: str, stamp: Stamp) -> tuple[str, bool]:
        """Compare an object with pg_wal; return what is wrong, and whether to push it again."""
        context = self._context
        engine, bucket, pgdata = (
            context.session.engine,
            context.session.bucket,
            context.settings.pgdata,
        )
        if bucket is None or not isinstance(engine, Engine):
            return f"{name} could not be compared with pg_wal: there is no engine", False
        if decryption.lacking(context.settings):
            is_changed = self._compared.get(name, stamp) != stamp
            return (f"{name} has changed in the archive" if is_changed else ""), is_changed
        with scratch(context.run_dir, pgdata, _SCRATCH_BYTES, _SCRATCH) as place:
            sides = divergence.Sides(
                bucket, engine, context.engine_config, pgdata, place, context.secrets()
            )
            try:
                if await divergence.same(sides, name):
                    return "", False
            except FaultError as raised:
                reason = raised.fault.problem[:200]
                lasts = raised.fault.kind in PERMANENT
                return f"{name} in the archive cannot be read ({reason})", lasts
        return f"{name} in the archive has other bytes than in pg_wal", True

    async def _push(self, name: str, stamp: Stamp | None, problem: str) -> None:
        """Push a file from pg_wal; not again at once when the archive is unchanged."""
        before, at_s = self._pushed.get(name, (stamp, -_AGAIN_S))
        if before == stamp and time.monotonic() - at_s < _AGAIN_S:
            return
        self._pushed[name] = (stamp, time.monotonic())
        self._compared.pop(name, None)  # the next round accepts or compares what is pushed now
        log.warning("history.damaged", name=name, problem=problem)
        await push_again.push(self._context, name)
