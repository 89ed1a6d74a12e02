"""Ends a stop: pushes what is left in pg_wal, lists the bucket, and gives the verdict."""

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass

from walsup import log, units
from walsup.agent.archiving.lease_holder import withdraw
from walsup.agent.archiving.name_conflicts import Conflicts
from walsup.agent.archiving.write_position import on_disk
from walsup.agent.audit.stop_verdict import audited
from walsup.agent.context import AgentContext
from walsup.agent.lag_meter import Meter, WritePosition
from walsup.agent.states import GateState
from walsup.agent.stopping import restore_needs
from walsup.agent.stopping.bucket_silence import until_silent
from walsup.agent.stopping.final_push import FinalPush
from walsup.agent.stopping.release import QUESTION, release
from walsup.agent.subject import Subject
from walsup.archive.catalog.listing import Run
from walsup.archive.faults import PASSING, FaultKind
from walsup.archive.ownership.lease import Lease, now_s
from walsup.archive.storage.bucket import Bucket
from walsup.archive.storage.fault_mapping import classify
from walsup.errors import WalsupError
from walsup.postgres import pg_control, standby_signal
from walsup.postgres.pg_control import ControlData, DBState
from walsup.postgres.processes import archiver
from walsup.postgres.wal import Segment, show_lsn
from walsup.postgres.wal_files.ready_files import ready_names

_LONG_HEADER_BYTES = 40
_RETRY_S = 0.2
_ASK_AGAIN_S = 1.0
# With one of these the bucket may answer again. The others need a person.
_MAY_PASS = (*PASSING, FaultKind.OVERWRITE_CONFLICT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """What has to be in the bucket: all segments up to `last`; `rest_bytes` of WAL follow it."""

    last: Segment
    rest_bytes: int


async def stop(context: AgentContext) -> None:
    """Wait for the end of postgres, push what is left, and send PID 1 the verdict."""
    await context.signals.sweeping.wait()
    if context.session.bucket is None:
        return
    await context.session.continuity.end()
    deadline_s = context.board.snapshot.init.stop_deadline_s or time.monotonic() + 5.0
    left_s = max(0.1, deadline_s - time.monotonic() - 0.2)
    try:
        async with asyncio.timeout(left_s):
            verdict = await _first_of(
                _sweep(context, context.session.bucket, now_s() + left_s),
                _give_up(context, context.session.bucket),
            )
    except TimeoutError:
        verdict = f"{QUESTION}: no: {_behind(context)} could not be verified in time"
    except WalsupError as fault:
        verdict = f"{QUESTION}: no: {fault.problem}"
    log.info("stop.verdict", verdict=verdict)
    await context.session.continuity.close(verdict)
    context.pid1.verdict(verdict)


async def _first_of(*works: Coroutine[None, None, str]) -> str:
    """Return the result of the first, and cancel the others."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(task for task in tasks if task in done).result()
    finally:
        for task in tasks:
            task.cancel()


async def _give_up(context: AgentContext, bucket: Bucket) -> str:
    """Return the verdict when the bucket has not answered for WALSUP_STOP_PATIENCE."""
    silent = await until_silent(bucket, context.settings.stop_patience_s, context.session.swept)
    return f"{QUESTION}: no: {silent}; {_behind(context)} is only on the disk"


async def _sweep(context: AgentContext, bucket: Bucket, ends_s: float) -> str:
    if standby_signal.is_standby(context.settings.pgdata):
        replay_lsn = context.board.snapshot.standby.replay_lsn
        return f"a standby archives nothing; it has replayed up to {show_lsn(replay_lsn)}"
    return await _prove(context, bucket, FinalPush(context, bucket, ends_s))


async def _prove(context: AgentContext, bucket: Bucket, sweep: FinalPush) -> str:
    control = pg_control.read(context.settings.pgdata)
    await _until_open(context)
    meter, lease = context.session.meter, context.session.lease
    if (shut := _shut(context)) or meter is None or lease is None:
        return shut or f"{QUESTION}: no: archiving was never enabled"
    if control.state not in (DBState.SHUT_DOWN, DBState.SHUT_DOWN_IN_RECOVERY):
        return await _leave_crashed(context, bucket, lease, meter.mark, sweep)
    needed = needed_for(control)
    if control.timeline > meter.mark.timeline:
        context.session.follow_history(control.timeline)
    end = WritePosition(control.timeline, needed.last.end_lsn)
    mark, conflict = await _until_proven(context, bucket, meter, sweep, end)
    if shut := _shut(context):
        return shut
    # The bucket is looked at under this lease; the archive may be claimed again meanwhile.
    lease = context.session.lease or lease
    verdict = f"{QUESTION}: no: {conflict}"
    if not conflict:
        verdict = await _say(context, bucket, control, mark, sweep)
    ended = not needed.rest_bytes and not conflict
    lost = await release(context, lease, mark, verdict, ended=ended)
    return f"{QUESTION}: no: {lost}" if lost else verdict


async def _until_proven(
    context: AgentContext, bucket: Bucket, meter: Meter, sweep: FinalPush, end: WritePosition
) -> tuple[Segment, str]:
    """Push until all before `end` is verified, or a foreign object prevents it.

    Returns the last verified segment, and what is wrong with names in the archive ("": nothing).
    """
    conflicts = Conflicts(context, settle_s=0.0)
    while not _shut(context):
        run = await _advance(context, bucket, conflicts, meter.mark, end)
        if run is None:
            continue
        meter.proven(run.mark)
        if meter.mark.end_lsn >= end.lsn or conflicts.has_found:
            return meter.mark, conflicts.at_end(run, end)
        await _until_open(context)
        if not _shut(context) and not await _push_ready(context, sweep):
            await asyncio.sleep(_RETRY_S)
    return meter.mark, ""


def _shut(context: AgentContext) -> str:
    """Return the verdict when nothing more can be archived, "" while it can."""
    gate = context.board.snapshot.gate
    if gate.state == GateState.OPEN:
        return ""
    reason = gate.reason or "it was never enabled"
    return f"{QUESTION}: no: archiving is disabled ({gate.state}): {reason}"


async def _say(
    context: AgentContext, bucket: Bucket, control: ControlData, mark: Segment, sweep: FinalPush
) -> str:
    """Return the verdict when all segments are verified: on everything that a restore needs."""
    needed = needed_for(control)
    missing = _lost(context)
    backup = ""
    if not missing:
        # It pushes again what pg_wal still has. Release the owner object only afterwards.
        missing = await audited(context, needed.last, time.monotonic() + sweep.stop_left_s() / 2)
    if not missing:
        backup, missing = await _restorable(context, bucket, control, needed.last)
    if not missing and needed.rest_bytes:
        before = show_lsn(control.checkpoint_lsn)
        missing = f"{needed.rest_bytes} bytes before {before} are only on the disk"
    if missing:
        return f"{QUESTION}: no: {missing}"
    position = show_lsn(control.checkpoint_lsn)
    return f"{QUESTION}: yes ({mark.name}, {position}; base backup {backup})"


async def _restorable(
    context: AgentContext, bucket: Bucket, control: ControlData, last: Segment
) -> restore_needs.Restorable:
    """Look for what a restore needs, until the bucket answers."""
    while True:
        try:
            return await restore_needs.look(context, bucket, control, last)
        except Exception as raised:  # noqa: BLE001 (retried until the deadline)
            context.board.fault(Subject.BUCKET, classify(raised))
            await asyncio.sleep(_RETRY_S)


async def _until_open(context: AgentContext) -> None:
    """Wait while archiving is being enabled, or is disabled for a reason that may pass."""
    asked_s = -_ASK_AGAIN_S
    while (snapshot := context.board.snapshot).gate.state != GateState.OPEN:
        if snapshot.gate.state == GateState.SHUT:
            shut = snapshot.faults.get(Subject.GATE)
            if shut is None or shut.fault.kind not in _MAY_PASS:
                return
            if time.monotonic() - asked_s >= _ASK_AGAIN_S:
                asked_s = time.monotonic()
                context.signals.reopen.set()  # its own next try may be much later
        await asyncio.sleep(_RETRY_S / 4)


async def _leave_crashed(
    context: AgentContext, bucket: Bucket, lease: Lease, mark: Segment, sweep: FinalPush
) -> str:
    """Push what can be pushed, and release the archive; return the verdict."""
    await _push_ready(context, sweep)
    conflicts = Conflicts(context, settle_s=0.0)
    end = await asyncio.to_thread(on_disk, context.settings.pgdata)
    if run := await _advance(context, bucket, conflicts, mark, end):
        mark = run.mark
    # An instance that reads "stopped" may write at once: running pushes must have ended before.
    withdraw(context)
    while context.pid1.read().engine_pid:  # noqa: ASYNC110 (a file has no event)
        await asyncio.sleep(_RETRY_S / 4)
    # Also a push without a daemon, which a crashed postmaster leaves running.
    while archiver.has_push_of(context.engine_config):  # noqa: ASYNC110 (nor has a process)
        await asyncio.sleep(_RETRY_S / 4)
    control = pg_control.read(context.settings.pgdata)
    verdict = (
        f"{QUESTION}: no: postgres did not shut down ({control.state.label});"
        f" WAL after {show_lsn(mark.end_lsn)} is only on the disk"
    )
    await release(context, lease, mark, verdict)
    return verdict


def _lost(context: AgentContext) -> str:
    """Return which WAL is lost without a base backup after it, "" when none is."""
    snapshot = context.board.snapshot
    if first := [hole.first for hole in snapshot.holes if not hole.covered_by]:
        return f"{units.abbreviate(first)} is lost, and no base backup starts after it"
    from_lsn = context.session.lease.owner.backups_from if context.session.lease else 0
    if from_lsn and not snapshot.backup.counts:
        because = context.session.lease.owner.backups_because if context.session.lease else ""
        why = f" ({because})" if because else ""
        return (
            f"WAL before {show_lsn(from_lsn)} is lost or not verified{why}, and no base backup"
            " starts after it"
        )
    return ""


def needed_for(control: ControlData) -> Needed:
    """Return what the bucket needs after a clean shutdown. Pure.

    A fast shutdown switches the segment before its checkpoint, which is then the first record of
    the next segment: 40 bytes after its start.
    """
    segment = Segment.containing(control.checkpoint_lsn, control.timeline, control.segment_size)
    return Needed(
        last=segment.previous(),
        rest_bytes=max(0, control.checkpoint_lsn - segment.start_lsn - _LONG_HEADER_BYTES),
    )


async def _advance(
    context: AgentContext, bucket: Bucket, conflicts: Conflicts, mark: Segment, end: WritePosition
) -> Run | None:
    """List once; None: the bucket did not answer."""
    try:
        return await conflicts.advance(bucket, mark, end)
    except Exception as raised:  # noqa: BLE001 (retried until the deadline)
        context.board.fault(Subject.BUCKET, classify(raised))
        await asyncio.sleep(_RETRY_S)
        return None


async def _push_ready(context: AgentContext, sweep: FinalPush) -> bool:
    """Push what waits; False when nothing was pushed."""
    try:
        return await sweep.push_ready()
    except Exception as raised:  # noqa: BLE001 (retried until the deadline)
        context.board.fault(Subject.BUCKET, classify(raised))
        return False


def _behind(context: AgentContext) -> str:
    """Return which WAL is missing in the bucket."""
    names = ready_names(context.settings.pgdata).own
    if names:
        return units.abbreviate(names)
    return (
        "the last segment"
        if context.session.meter is None
        else f"WAL after {show_lsn(context.session.meter.mark.end_lsn)}"
    )
