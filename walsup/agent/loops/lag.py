"""Proving the lag: the bucket's listing, continued after the last contiguous segment (S33)."""

import asyncio
import time
from pathlib import Path

from walsup import log
from walsup.agent.archiving import write_position
from walsup.agent.archiving.name_conflicts import Conflicts
from walsup.agent.audit.board_report import duplicates
from walsup.agent.context import World
from walsup.agent.lag_meter import Lag, Meter
from walsup.agent.subject import Subject
from walsup.archive.storage.bucket import Bucket
from walsup.archive.storage.fault_mapping import classify, note
from walsup.postgres.wal import show_lsn
from walsup.postgres.wal_files import transactions

_EVERY_S = 1.0
_CHECK_S = 15.0
_SWITCH_MARGIN_S = 5.0


async def lag(world: World) -> None:
    """Publish the lag every second; list when something could be proven, else every 15 s.

    A listing is a task of its own: while one hangs, the lag goes on rising.
    """
    listing, listed_s, listed = None, -_CHECK_S, False
    conflicts = Conflicts(world)
    while True:
        await asyncio.sleep(_EVERY_S)
        if world.meter is None or world.bucket is None:
            continue
        listed = listed or (listing is not None and listing.done())
        if listing is None or listing.done():
            faulty = Subject.BUCKET in world.board.snapshot.faults
            overdue = time.monotonic() - listed_s >= _CHECK_S
            if world.meter.has_finished_segments or faulty or overdue or conflicts.is_unsure:
                listed_s = time.monotonic()
                listing = asyncio.create_task(_list(world, world.bucket, world.meter, conflicts))
        await _look_into_wal(world.settings.pgdata, world.meter)
        if not world.stopping.is_set():
            await _switch_when_overdue(world)
        # Before the first listing everything since the claim would look unproven.
        if not world.board.snapshot.database.observed:
            world.board.put(lag=Lag(proven_lsn=world.meter.mark.end_lsn))
        elif listed:
            world.board.put(lag=world.meter.read(time.monotonic()))


async def _list(world: World, bucket: Bucket, meter: Meter, conflicts: Conflicts) -> None:
    world.asked_s = began_s = time.monotonic()
    try:
        reached = await write_position.sampled(world)
        if reached is not None:
            run = await conflicts.advance(bucket, meter.mark, reached)
            # Without the lease another start may have written what is listed.
            if world.lease is not None and world.lease.is_held:
                meter.proven(run.mark)
                world.note_verified(run.verified)
                now_lsn = await write_position.asked(world) if run.beyond else reached.lsn
                await conflicts.note(bucket, run, reached, now_lsn)
            if run.twice:
                world.board.fault(Subject.ARCHIVE, duplicates(run.twice))
        await bucket.probe(meter.mark.size)
        world.board.saw("bucket")
        world.board.clear(Subject.BUCKET)
    except Exception as raised:  # noqa: BLE001 (whatever the client raises is a fault)
        world.board.fault(Subject.BUCKET, classify(raised))
    finally:
        world.asked_s, world.answered_in_s = None, time.monotonic() - began_s


async def _look_into_wal(pgdata: Path, meter: Meter) -> None:
    """Let the WAL itself tell whether anything of a transaction was written since the switch.

    An open transaction that does nothing would otherwise cost a segment each archive_timeout.
    """
    if (doubt := meter.doubtful) is None:
        return
    segment, lsn = doubt
    path = pgdata / "pg_wal" / segment.name
    data = await asyncio.to_thread(_beginning, path, lsn - segment.start_lsn)
    if data:
        quiet = transactions.has_no_xid(data, segment.start_lsn, lsn, segment.timeline)
        meter.looked(lsn, quiet=quiet)


def _beginning(path: Path, length: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(length)
    except OSError:
        return b""


async def _switch_when_overdue(world: World) -> None:
    """Switch when PostgreSQL's own archive_timeout does not: it waits for "important" WAL."""
    meter, seen = world.meter, world.board.snapshot
    if meter is None or seen.gate.state != "open" or seen.database.role != "primary":
        return
    timeout_s = seen.database.archive_timeout_s + _SWITCH_MARGIN_S
    if seen.database.observed and meter.needs_switch(time.monotonic(), timeout_s):
        await switch(world)


async def switch(world: World) -> None:
    """Finish the current segment now."""
    try:
        xmax, xmin, lsn = await world.sql.row(
            "select pg_catalog.txid_snapshot_xmax(s), pg_catalog.txid_snapshot_xmin(s),"
            " pg_catalog.pg_switch_wal() from pg_catalog.txid_current_snapshot() s"
        )
    except Exception as raised:  # noqa: BLE001 (the database loop says what is wrong with SQL)
        note(raised)
        log.warning("switch.failed", problem=str(raised))
        return
    if world.meter:
        world.meter.switched(time.monotonic(), xmax, xmin)
    log.info("segment.switched", lsn=show_lsn(lsn))
