"""Measures the lag by listing the bucket after the last contiguous segment."""

import asyncio
import time
from pathlib import Path

from walsup.agent.archiving import segment_switch, write_position
from walsup.agent.archiving.name_conflicts import Conflicts
from walsup.agent.audit.board_report import duplicates
from walsup.agent.context import AgentContext
from walsup.agent.lag_meter import Lag, Meter
from walsup.agent.states import GateState
from walsup.agent.subject import Subject
from walsup.archive.storage.bucket import Bucket
from walsup.archive.storage.fault_mapping import classify
from walsup.postgres.wal_files import transactions

_EVERY_S = 1.0
_CHECK_S = 15.0
_SWITCH_MARGIN_S = 5.0


async def lag(context: AgentContext) -> None:
    """Publish the lag every second; list when that could verify something, else every 15 s.

    A listing is a separate task: while one hangs, the lag still rises.
    """
    listing, listed_s, listed = None, -_CHECK_S, False
    conflicts = Conflicts(context)
    while True:
        await asyncio.sleep(_EVERY_S)
        if context.session.meter is None or context.session.bucket is None:
            continue
        listed = listed or (listing is not None and listing.done())
        if listing is None or listing.done():
            faulty = Subject.BUCKET in context.board.snapshot.faults
            overdue = time.monotonic() - listed_s >= _CHECK_S
            if (
                context.session.meter.has_finished_segments
                or faulty
                or overdue
                or conflicts.is_unsure
            ):
                listed_s = time.monotonic()
                listing = asyncio.create_task(
                    _list(context, context.session.bucket, context.session.meter, conflicts)
                )
        await _look_into_wal(context.settings.pgdata, context.session.meter)
        if not context.signals.stopping.is_set():
            await _switch_when_overdue(context)
        # Before the first listing everything since the claim would count as not verified.
        if not context.board.snapshot.database.observed:
            context.board.put(lag=Lag(proven_lsn=context.session.meter.mark.end_lsn))
        elif listed:
            context.board.put(lag=context.session.meter.read(time.monotonic()))


async def _list(context: AgentContext, bucket: Bucket, meter: Meter, conflicts: Conflicts) -> None:
    context.session.asked_s = began_s = time.monotonic()
    try:
        reached = await write_position.sampled(context)
        if reached is not None:
            run = await conflicts.advance(bucket, meter.mark, reached)
            # Without the lease another start may have written the listed objects.
            if context.session.lease is not None and context.session.lease.is_held:
                meter.proven(run.mark)
                context.session.note_verified(run.verified)
                now_lsn = await write_position.asked(context) if run.beyond else reached.lsn
                await conflicts.note(bucket, run, reached, now_lsn)
            if run.twice:
                context.board.fault(Subject.ARCHIVE, duplicates(run.twice))
        await bucket.probe(meter.mark.size)
        context.board.saw("bucket")
        context.board.clear(Subject.BUCKET)
    except Exception as raised:  # noqa: BLE001 (whatever the client raises is a fault)
        context.board.fault(Subject.BUCKET, classify(raised))
    finally:
        context.session.asked_s, context.session.answered_in_s = None, time.monotonic() - began_s


async def _look_into_wal(pgdata: Path, meter: Meter) -> None:
    """Read the WAL to learn whether a transaction has written anything since the switch.

    An open transaction that does nothing would otherwise cost a segment each archive_timeout.
    """
    if (doubt := meter.doubtful) is None:
        return
    segment, lsn = doubt
    path = pgdata / "pg_wal" / segment.name
    data = await asyncio.to_thread(_beginning, path, lsn - segment.start_lsn)
    if data:
        quiet = transactions.only_upkeep(data, segment.start_lsn, lsn, segment.timeline)
        meter.looked(lsn, quiet=quiet)


def _beginning(path: Path, length: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(length)
    except OSError:
        return b""


async def _switch_when_overdue(context: AgentContext) -> None:
    """Switch when PostgreSQL's own archive_timeout does not: it waits for "important" WAL."""
    meter, seen = context.session.meter, context.board.snapshot
    if meter is None or seen.gate.state != GateState.OPEN or seen.database.role != "primary":
        return
    timeout_s = seen.database.archive_timeout_s + _SWITCH_MARGIN_S
    if seen.database.observed and meter.needs_switch(time.monotonic(), timeout_s):
        await segment_switch.switch(context)
