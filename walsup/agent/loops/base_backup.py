"""Takes a base backup when a first segment is verified, and again after a gap in the archive."""

import asyncio
import time
from pathlib import Path

from walsup import log, units
from walsup.agent.archiving.completeness import proven
from walsup.agent.archiving.lease_holder import renew
from walsup.agent.archiving.segment_switch import switch
from walsup.agent.backup import omissions, repeated_read, valid_backups
from walsup.agent.backup.borrowed_keys import borrowed_keys
from walsup.agent.backup.engine_sessions import safe_sessions
from walsup.agent.backup.repeated_read import Readability
from walsup.agent.backup.verification import behind_hole, verify
from walsup.agent.context import AgentContext
from walsup.agent.events import any_set
from walsup.agent.snapshot import BackupSeen
from walsup.agent.states import BackupState, GateState
from walsup.agent.subject import Subject
from walsup.archive.catalog import base_backups
from walsup.archive.engine import decryption, run_once
from walsup.archive.engine.adapter import Engine
from walsup.archive.engine.commands import Failure
from walsup.archive.faults import UNCLEAR, Fault, FaultKind
from walsup.archive.ownership.lease import LostError
from walsup.archive.storage.bucket import Bucket
from walsup.archive.storage.fault_mapping import classify
from walsup.postgres import config
from walsup.postgres.backup_exclusions import LeftOut
from walsup.postgres.tablespaces import sizes

_OPERATORS_NOTE = "WALG_SENTINEL_USER_DATA"
_FIRST_RETRY_S = 5.0
_LONGEST_RETRY_S = 60.0
_PROOF_PATIENCE_S = 60.0
_WALK_EVERY_S = 1800.0
_READ_EVERY_S = 86400.0


async def backup(context: AgentContext) -> None:
    """Take a base backup unless the archive has one of this cluster; another after a gap."""
    if (
        context.session.bucket is None
        or isinstance(context.session.engine, Fault)
        or context.session.engine is None
    ):
        await context.signals.stopping.wait()
        return
    attempts = 0
    while not context.signals.stopping.is_set():
        await _until_open(context)
        context.signals.rotated.clear()
        try:
            fault = await _attempt(
                context, context.session.bucket, context.session.engine, attempts
            )
        except Exception as raised:  # noqa: BLE001 (retried; the fault says why)
            fault = classify(raised)
        if fault is None:
            attempts = 0
            context.board.clear(Subject.BACKUP)
            # Without one the operator takes it, and it is looked for.
            if context.board.snapshot.backup.counts:
                await _while_verified(context, context.session.engine)
            else:
                wakers = (context.signals.stopping, context.signals.gap_found)
                await any_set(*wakers, timeout_s=_LONGEST_RETRY_S)
            context.signals.gap_found.clear()
            continue
        attempts += 1
        if not context.signals.stopping.is_set():
            context.board.fault(Subject.BACKUP, fault)
            last = context.board.snapshot.backup
            context.board.put(
                backup=BackupSeen(state=BackupState.FAILED, name=last.name, attempts=attempts)
            )
            pause_s = units.backoff(attempts, _FIRST_RETRY_S, _LONGEST_RETRY_S)
            # With new credentials try again at once.
            await any_set(context.signals.stopping, context.signals.rotated, timeout_s=pause_s)


async def _while_verified(context: AgentContext, engine: Engine) -> None:
    """Return when a base backup must be verified again: after a gap, or when it is unreadable."""
    signals, read_s, is_due = context.signals, time.monotonic(), False
    while True:
        pause_s = _LONGEST_RETRY_S if is_due else _WALK_EVERY_S
        await any_set(signals.stopping, signals.gap_found, signals.rotated, timeout_s=pause_s)
        if signals.stopping.is_set() or signals.gap_found.is_set():
            return
        is_due = is_due or signals.rotated.is_set() or time.monotonic() - read_s >= _READ_EVERY_S
        signals.rotated.clear()
        if is_due:
            match await repeated_read.newest(context, engine):
                case Readability.UNREADABLE:
                    return
                case Readability.READ:
                    read_s, is_due = time.monotonic(), False
        else:
            await omissions.look(context)  # links may appear while the database runs


async def _until_open(context: AgentContext) -> None:
    while True:
        snapshot = context.board.snapshot
        if (
            snapshot.gate.state == GateState.OPEN
            and snapshot.database.accepting
            and snapshot.database.timeline
        ):
            return
        await asyncio.sleep(0.1)


async def _attempt(
    context: AgentContext, bucket: Bucket, engine: Engine, attempts: int
) -> Fault | None:
    """Return None when a base backup of this cluster is verified, else why none is."""
    left_out = await omissions.look(context)
    why = decryption.lacking(context.settings)
    context.board.attend(Subject.DECRYPTION, decryption.attention(why) if why else None)
    lost = omissions.lost_data(left_out) or await omissions.lost_tablespaces(context, engine.name)
    return lost or await _found_or_taken(context, bucket, engine, attempts, left_out)


async def _found_or_taken(
    context: AgentContext,
    bucket: Bucket,
    engine: Engine,
    attempts: int,
    left_out: tuple[LeftOut, ...],
) -> Fault | None:
    """Verify the newest base backup, or take one and verify that."""
    from_lsn = context.board.snapshot.needs_backup_from
    existing = await valid_backups.newest(context, bucket)
    unfit = context.board.snapshot.audit.unfit_backups
    counts = existing is not None and existing.name not in unfit
    if existing and counts and existing.start_lsn >= from_lsn:
        fault = await verify(context, bucket, engine, existing)
        if fault is None or not _wants_another(context, fault):
            return fault
        context.board.fault(Subject.BACKUP, fault)
    _say_why(context)
    if not context.settings.initial_backup:
        context.board.put(backup=BackupSeen(state=BackupState.NONE))
        # The operator takes them: looked for until there is one after the gap.
        return behind_hole(existing) if from_lsn else None
    context.board.put(backup=BackupSeen(state=BackupState.WAITING_FOR_SEGMENT, attempts=attempts))
    if hindered := await _hindered(context):
        return hindered
    context.board.put(backup=BackupSeen(state=BackupState.RUNNING, attempts=attempts))
    log.info("backup.began", engine=engine.name)
    output = context.run_dir / "backup-push.log"
    began_at = await asyncio.to_thread(omissions.clock, context.settings.pgdata)
    code = await _push(context, engine, output, left_out)
    context.session.has_taken_backup |= code == 0
    if code != 0:
        return _why(Failure.read(code, output, context.secrets()), engine, left_out)
    if newest := await valid_backups.newest(context, bucket):
        if began_at is not None and (existing is None or newest.name != existing.name):
            context.session.taken[newest.name] = began_at
        return await verify(context, bucket, engine, newest)
    return Fault(
        kind=FaultKind.ENGINE_DISAGREES,
        problem=f"{engine.name} backup-push reports success, but no new base backup is below"
        f" {context.settings.archive}: the engine writes to another place, or a program deletes the"
        " sentinel",
    )


def _why(failure: Failure, engine: Engine, left_out: tuple[LeftOut, ...]) -> Fault:
    """Return the fault of a backup-push that has failed."""
    if failure.told.kind in UNCLEAR and (fault := omissions.unreadable(left_out, engine.name)):
        return fault._replace(problem=f"{fault.problem}\n{failure.lines}")
    return failure.ended(f"{engine.name} backup-push", shows_lines=True)


def _wants_another(context: AgentContext, fault: Fault) -> bool:
    """Return whether a new base backup may help: another unreadable one does not."""
    match fault.kind:
        case FaultKind.BASE_BACKUP_DAMAGED:
            return True
        case FaultKind.ENGINE_DISAGREES:
            return not context.session.has_taken_backup
        case _:
            return False


async def _hindered(context: AgentContext) -> Fault | None:
    """Return why no base backup can begin: no verified segment, or the archive has another owner.

    An earlier backup may be missing because the archive was removed or now belongs to another
    database; the next renewal would show that only up to a lease later.

    Raises:
        what the bucket raises.
    """
    if not await _first_segment(context):
        return Fault(
            kind=FaultKind.TIMEOUT,
            problem="no segment has been verified in the bucket yet",
            remedy="solve the other faults first: a base backup ends only when its WAL is archived",
        )
    lease, meter = context.session.lease, context.session.meter
    if lease is None or meter is None:
        return Fault(FaultKind.TIMEOUT, "archiving was disabled meanwhile")
    try:
        async with asyncio.timeout(lease.owner.lease_s):
            await renew(context, lease, proven(context, meter.mark))
    except LostError as lost:
        context.signals.reopen.set()
        return lost.fault
    return None


def _say_why(context: AgentContext) -> None:
    """Show why existing base backups do not count when the reason is not a gap."""
    because = context.session.lease.owner.backups_because if context.session.lease else ""
    if because:
        takes_backup = context.settings.initial_backup
        remedy = (
            "none: walsup takes a new base backup" if takes_backup else "take a new base backup"
        )
        context.board.fault(Subject.CONTINUITY, Fault(FaultKind.NOT_CONTINUED, because, remedy))


async def _push(
    context: AgentContext, engine: Engine, output: Path, left_out: tuple[LeftOut, ...]
) -> int:
    """Run backup-push; cancel it at a stop, with rejected credentials, and without the lease."""
    if context.session.lease is None or not context.session.lease.is_held:
        return 1
    context.signals.backup_refused.clear()
    cancelled = asyncio.Event()
    given_up = asyncio.ensure_future(
        any_set(context.signals.stopping, context.signals.backup_refused, context.signals.withdrawn)
    )
    given_up.add_done_callback(lambda _: cancelled.set())
    try:
        note = await asyncio.to_thread(_note, context, left_out)
        async with safe_sessions(context) as more, borrowed_keys(context, engine) as (config, keys):
            argv = engine.backup_argv(config, context.settings.pgdata, note)
            return await run_once.run(argv, output, cancelled=cancelled, more={**more, **keys})
    finally:
        given_up.cancel()


def _note(context: AgentContext, left_out: tuple[LeftOut, ...]) -> str:
    """Return what a restore needs to know in advance, "" when the operator uses the field.

    From the files of the data directory: a copy does not inherit arguments or files elsewhere.
    A restore replaces part of Patroni's configuration, so its libraries are not noted.
    """
    pgdata = context.settings.pgdata
    if _OPERATORS_NOTE in context.settings.passed_on:
        return ""
    preloads = ""
    if not (pgdata / config.PATRONIS).exists():
        preloads = config.effective(pgdata, ()).values.get(config.PRELOADED, "")
    return base_backups.note(preloads, sizes.sizes(pgdata), left_out)


async def _first_segment(context: AgentContext) -> bool:
    """Wait until a segment of this claim is verified; in an idle database switch the segment."""
    meter = context.session.meter
    if meter is None:
        return False
    origin = context.board.snapshot.gate.origin_lsn
    for turn in range(round(_PROOF_PATIENCE_S * 4)):
        if meter.mark.end_lsn > origin:
            return True
        if turn == 0 and not meter.has_finished_segments:
            await switch(context)
        if context.signals.stopping.is_set():
            return False
        await asyncio.sleep(0.25)
    return False
