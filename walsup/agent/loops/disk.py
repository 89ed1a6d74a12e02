"""Watches the disks: keeps a reserve in pg_wal, forecasts when it is full, and names full ones."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import asyncpg

from walsup import log, units
from walsup.agent.context import AgentContext
from walsup.agent.disk_forecast import Forecast
from walsup.agent.snapshot import Snapshot
from walsup.agent.states import GateState
from walsup.agent.subject import Subject
from walsup.archive.faults import Fault, FaultKind
from walsup.errors import WalsupError
from walsup.postgres import pg_control
from walsup.postgres.sql.connection import Sql
from walsup.postgres.wal_files import reserve
from walsup.postgres.wal_files.reserve import FileSystemSpace

_EVERY_S = 1.0
_REFILL_EVERY_S = 10.0
_BEHIND_S = 30.0
_LOW_SEGMENTS = 2
_RECYCLE_SEGMENTS = 4
_LEAST_BYTES = 64 << 10


async def disk(context: AgentContext) -> None:
    """Check the three file systems every second."""
    pgdata = context.settings.pgdata
    recycler = Recycler(Sql(pgdata, context.settings.database_role, context.settings.pgpassword))
    forecast, refilled_s, segment_bytes = Forecast(), -_REFILL_EVERY_S, 0
    while not context.signals.stopping.is_set():
        await asyncio.sleep(_EVERY_S)
        snapshot, now_s = context.board.snapshot, time.monotonic()
        if not snapshot.database.accepting:
            continue
        segment_bytes = segment_bytes or await asyncio.to_thread(_segment_bytes, pgdata)
        pg_wal = await asyncio.to_thread(_disk, pgdata / "pg_wal")
        if pg_wal is not None:
            forecast.sample(now_s, snapshot.database.current_lsn, pg_wal.free_bytes)
            if pg_wal.free_bytes < _RECYCLE_SEGMENTS * segment_bytes:
                await recycler.recycle(snapshot)
        full_in_s = (
            forecast.full_in_s(shut=snapshot.gate.state != GateState.OPEN)
            if _behind(snapshot)
            else None
        )
        context.board.put(disk=replace(snapshot.disk, full_in_s=full_in_s))
        if fault := await asyncio.to_thread(_low, context, pg_wal, segment_bytes):
            context.board.fault(Subject.DISK, fault)
        else:
            context.board.clear(Subject.DISK)
        if segment_bytes and now_s - refilled_s >= _REFILL_EVERY_S:
            refilled_s = now_s
            held = await asyncio.to_thread(reserve.refill, pgdata / "pg_wal", segment_bytes)
            context.board.put(disk=replace(context.board.snapshot.disk, reserve_bytes=held))


class Recycler:
    """Requests checkpoints while pg_wal is nearly full: archived segments are recycled only then.

    postgres's own next checkpoint may come after the segment that no longer fits.
    """

    def __init__(self, sql: Sql) -> None:
        self._sql = sql
        self._done_lsn = 0

    async def recycle(self, snapshot: Snapshot) -> None:
        """Request a checkpoint when more WAL was verified since the last; do not wait for it."""
        proven_lsn = snapshot.lag.proven_lsn
        if snapshot.database.role != "primary" or proven_lsn <= self._done_lsn:
            return
        # Requesting is enough: it goes on without a waiting session, and another costs WAL.
        self._done_lsn = proven_lsn
        try:
            await self._sql.row("checkpoint")
        except (asyncpg.PostgresError, OSError, TimeoutError) as fault:
            log.warning("checkpoint.failed", problem=f"{type(fault).__name__}: {fault}")
            return
        log.info("checkpoint.asked", reason="pg_wal is nearly full, and segments were archived")


def _behind(snapshot: Snapshot) -> bool:
    """Return whether archiving does not keep up: disabled, or finished segments wait for long."""
    if snapshot.archive is None:
        return False
    waits = snapshot.lag.known and snapshot.lag.segments > 1 and snapshot.lag.seconds > _BEHIND_S
    return snapshot.gate.state != GateState.OPEN or waits


def _disk(path: Path) -> FileSystemSpace | None:
    try:
        return FileSystemSpace.of(path)
    except OSError:
        return None


def _low(context: AgentContext, pg_wal: FileSystemSpace | None, segment_bytes: int) -> Fault | None:
    """Return the fault of the first file system that is full, or nearly."""
    if pg_wal is not None and pg_wal.free_bytes < _LOW_SEGMENTS * segment_bytes:
        return Fault(
            kind=FaultKind.DISK_FULL,
            problem=f"pg_wal's file system has {units.show_bytes(pg_wal.free_bytes)} left, and a"
            f" segment takes {units.show_bytes(segment_bytes)}: without room for one postgres ends",
            remedy="enlarge the volume, or make archiving work again (see the other faults)",
        )
    for path, name in ((context.settings.pgdata, "data"), (context.run_dir, "run")):
        space = _disk(path)
        if space is not None and space.free_bytes < _LEAST_BYTES:
            return Fault(
                kind=FaultKind.DISK_FULL,
                problem=f"the file system of the {name} directory {path} is full",
                remedy=f"free space in the file system of {path}",
            )
    return None


def _segment_bytes(pgdata: Path) -> int:
    try:
        return pg_control.read(pgdata).segment_size
    except WalsupError:
        return 0
