"""Verifies a base backup: its parts and its WAL are in the bucket, and the engine reads them."""

import asyncio

from walsup import log
from walsup.agent.backup.engine_check import unread
from walsup.agent.backup.needs import lacking
from walsup.agent.context import AgentContext
from walsup.agent.snapshot import BackupSeen
from walsup.agent.states import BackupState
from walsup.agent.subject import Subject
from walsup.archive.catalog.base_backups import Backup
from walsup.archive.engine import decryption
from walsup.archive.engine.adapter import Engine
from walsup.archive.faults import Fault, FaultKind
from walsup.archive.storage.bucket import Bucket

_PROOF_PATIENCE_S = 60.0
_LOOK_AGAIN_S = 1.0


async def verify(
    context: AgentContext, bucket: Bucket, engine: Engine, backup: Backup
) -> Fault | None:
    """Return None when the backup counts: the bucket has its parts and WAL, the engine reads them.

    The last contiguous segment shows when to check. It proves nothing about WAL before the claim,
    so all of the backup's WAL is listed.
    """
    state = BackupSeen(
        state=BackupState.WAITING_FOR_WAL, name=backup.name, finished_at=backup.finished_at
    )
    context.board.put(backup=state)
    meter = context.session.meter
    origin = context.board.snapshot.gate.origin_lsn
    for _ in range(round(_PROOF_PATIENCE_S * 4)):
        if meter is None or backup.finish_lsn <= max(meter.mark.end_lsn, origin):
            if backup.start_lsn < context.board.snapshot.needs_backup_from:
                return behind_hole(backup)
            if lacks := await lacking(context, bucket, backup):
                if lacks.comes:
                    await asyncio.sleep(_LOOK_AGAIN_S)
                    continue
                return _damaged(backup, lacks.problem)
            if fault := await unread(context, bucket, engine, backup):
                return fault
            _show_verified(context, backup)
            context.board.cover(backup.name, backup.start_lsn)
            context.board.clear(Subject.CONTINUITY)
            context.signals.audit_wanted.set()
            return None
        if context.signals.stopping.is_set():
            break
        await asyncio.sleep(0.25)
    return Fault(
        kind=FaultKind.HOLE,
        problem=f"the bucket lacks WAL that base backup {backup.name} needs",
    )


def _show_verified(context: AgentContext, backup: Backup) -> None:
    """Show that a base backup counts, and whether the engine has read it."""
    why = decryption.lacking(context.settings)
    state, verified = BackupState.PROVEN, "listed, and read by the engine"
    if why:
        state, verified = BackupState.LISTED, f"by listing, not read: no private key here ({why})"
    log.info(f"backup.{state}", name=backup.name, finished_at=backup.finished_at)
    shown = BackupSeen(
        state=state, name=backup.name, finished_at=backup.finished_at, verified=verified
    )
    context.board.put(backup=shown)


def _damaged(backup: Backup, problem: str) -> Fault:
    return Fault(
        kind=FaultKind.BASE_BACKUP_DAMAGED,
        problem=f"base backup {backup.name} does not count: {problem}",
        remedy="find out what deletes objects below the archive's prefix; walsup takes a new base"
        " backup unless WALSUP_INITIAL_BACKUP is off",
    )


def behind_hole(backup: Backup | None) -> Fault:
    """Return the fault of a newest base backup that begins before an open gap."""
    return Fault(
        kind=FaultKind.HOLE,
        problem=f"the newest base backup ({backup.name if backup else 'none'}) begins before a gap",
    )
