"""The steps from a running postgres to enabled archiving: claim, comparison, a new daemon."""

import asyncio
import time
from dataclasses import replace

from walsup import log
from walsup.agent.archiving import engine_daemon, engine_memory
from walsup.agent.archiving.claim_checks import ClaimChecks, TrustedBucket, continues_daemon
from walsup.agent.archiving.history_push import prove_history
from walsup.agent.archiving.inflight_pushes import until_landed
from walsup.agent.archiving.lease_holder import grant
from walsup.agent.archiving.takeover_push import inherit
from walsup.agent.context import AgentContext
from walsup.agent.lag_meter import Meter
from walsup.agent.snapshot import BackupSeen, Gate, Previous
from walsup.agent.states import BackupState, GateState
from walsup.archive.engine import daemon_client, encryption_key
from walsup.archive.engine.adapter import Engine
from walsup.archive.faults import Fault, FaultKind
from walsup.archive.owner_record import Owner
from walsup.archive.ownership import takeover
from walsup.archive.ownership.admission import Rejected, TryAgain
from walsup.archive.ownership.claim import OwnerWatch, claim
from walsup.archive.ownership.lease import Lease
from walsup.archive.storage.bucket import Bucket
from walsup.datadir import markers
from walsup.datadir.continuity import CheckpointPosition
from walsup.postgres import pg_control
from walsup.postgres.sql.connection import archives
from walsup.postgres.wal import Segment
from walsup.postgres.wal_files import timeline_history

_DAEMON_PATIENCE_S = 10.0


class ArchivingStart:
    """Enables archiving if this instance owns, or may claim, the archive; remembers its watch."""

    def __init__(self, context: AgentContext, engine: Engine) -> None:
        self._context = context
        self._engine = engine
        self._watch = OwnerWatch()
        self._trusted = TrustedBucket()

    async def open(self, bucket: Bucket) -> Fault | None:
        """Carry out all steps once; return what prevents archiving.

        Raises:
            what the bucket, the data directory's files or the engine raise.
        """
        context, pgdata = self._context, self._context.settings.pgdata
        if not self._engine.room.hard_bytes:
            room_here = engine_memory.find(context.settings, self._engine)
            self._engine = context.session.engine = self._engine._replace(room=room_here)
        control = pg_control.read(pgdata)
        context.board.put(system_id=control.system_id, segment_bytes=control.segment_size)
        key = await asyncio.to_thread(
            encryption_key.fingerprint, context.settings, control.system_id
        )
        claimant = replace(
            takeover.claimant(context.settings, context.boot, self._engine.name),
            position=CheckpointPosition.of(control),
            encryption=key,
        )
        checks = ClaimChecks(context, self._engine, bucket, claimant, self._trusted)
        answer = await claim(bucket, claimant, self._watch, checks)
        match answer:
            case TryAgain(fault=fault, living=living):
                context.session.rival = living
                return fault
            case Rejected(fault=fault, foreign=foreign, living=living):
                context.session.rival = living
                if foreign:
                    markers.remember_foreign(pgdata, str(context.settings.archive), fault.problem)
                return fault
        is_adopted = markers.adoption(pgdata, str(context.settings.archive)) is not None
        self._remember(answer)
        await context.session.continuity.settle()
        self._demand_backup(answer)
        self._show_previous(answer.owner)
        context.session.lease = answer
        if context.session.write_deadline is not None:
            context.session.write_deadline.renewed(answer.began_s, answer.owner.heirs)
        if not archives(pgdata):
            return Fault(
                kind=FaultKind.NOT_THE_OWNER,
                problem="this instance owns the archive now, but postgres was started with"
                " archive_mode=off",
                remedy="restart the container: archive_mode changes only when postgres starts",
            )
        if is_adopted:
            await until_landed(answer)
        unproven = await prove_history(context, self._engine, answer, control.timeline)
        if unproven is not None:
            return unproven
        unproven = await inherit(context, self._engine, answer, control)
        if unproven is not None:
            return unproven
        return await self._let_through(answer)

    def _demand_backup(self, lease: Lease) -> None:
        """Request a base backup that the new lease requires and the previous one did not."""
        before = self._context.session.lease
        if before is not None and before.owner.backups_from < lease.owner.backups_from:
            self._context.board.put(backup=BackupSeen(state=BackupState.WAITING_FOR_SEGMENT))
            self._context.signals.gap_found.set()

    def _show_previous(self, owner: Owner) -> None:
        """Show how the last run ended, from the archive, when the data directory has no note."""
        board = self._context.board
        if board.snapshot.previous.how == "unknown" and owner.verdict:
            board.put(
                previous=Previous(
                    how="stopped",
                    verdict=owner.verdict,
                    at=owner.verdict_at,
                    told_by="archive",
                )
            )

    def _remember(self, lease: Lease) -> None:
        pgdata, archive = self._context.settings.pgdata, str(self._context.settings.archive)
        markers.remember_owned(pgdata, archive)
        markers.remember_epoch(pgdata, archive, lease.owner.epoch)
        if markers.adoption(pgdata, archive) is not None:
            self._context.signals.adopted.set()
        markers.forget_adoption(pgdata)
        markers.forget_foreign(pgdata)
        markers.forget_straying(pgdata)

    async def _let_through(self, lease: Lease) -> Fault | None:
        """Start a new daemon, wait until it answers, and wake the archiver."""
        context, owner, engine = self._context, lease.owner, self._engine
        generation = 0
        if engine.has_daemon:
            generation = await self._start_daemon(lease)
        else:
            engine_daemon.render(context, owner.compression)
        if context.session.meter is None:
            context.session.meter = self._meter(owner)
        if generation and not await self._answers(generation):
            return Fault(
                kind=FaultKind.ENGINE_BROKEN,
                problem=f"the daemon of {engine.name} was started, but does not answer on"
                f" {context.engine_socket}",
            )
        grant(context, lease)
        context.board.put(
            gate=Gate(
                state=GateState.OPEN,
                engine=engine.name,
                compression=owner.compression,
                epoch=owner.epoch,
                origin_lsn=self._origin(owner),
                daemon=engine.has_daemon,
            )
        )
        log.info("gate.opened", engine=engine.name, epoch=owner.epoch, generation=generation)
        context.pid1.reload()
        return None

    def _origin(self, owner: Owner) -> int:
        """Return the LSN from which this claim verifies WAL: the owner's, or where its line ended.

        A restore to the past begins long before the end of what the owner has verified.
        """
        pgdata = self._context.settings.pgdata
        left = timeline_history.left(pgdata, pg_control.read(pgdata).timeline)
        behind = [s.switch_lsn for s in left if s.timeline == owner.timeline]
        return min([owner.lsn, *behind])

    async def _start_daemon(self, lease: Lease) -> int:
        context, seen = self._context, self._context.board.snapshot.init.engine_generation
        # Secret files may have changed while no agent ran.
        if continues_daemon(context) and not engine_daemon.render(context, lease.owner.compression):
            return seen
        await engine_daemon.until_quiet(context)
        return engine_daemon.launch(context, self._engine, lease)

    async def _answers(self, generation: int) -> bool:
        context, deadline_s = self._context, time.monotonic() + _DAEMON_PATIENCE_S
        while context.pid1.read().engine_generation < generation or not await daemon_client.check(
            context.engine_socket
        ):
            if time.monotonic() > deadline_s:
                return False
            await asyncio.sleep(0.05)
        return True

    def _meter(self, owner: Owner) -> Meter:
        """Measure from the owner's verified LSN; the oldest `.ready` file gives the first age."""
        seen = self._context.board.snapshot
        first = Segment.containing(owner.lsn, owner.timeline, seen.segment_bytes)
        since_s = time.monotonic() - seen.waiting.oldest_age_s if seen.waiting.ready else None
        return Meter(first.previous(), waiting_since_s=since_s)
