"""Everything between a running postgres and an open gate: claim, comparison, a fresh daemon."""

import asyncio
import time
from dataclasses import replace

from walsup import log
from walsup.agent.archiving import engine_daemon, engine_memory
from walsup.agent.archiving.history_push import prove_history
from walsup.agent.archiving.inflight_pushes import until_landed
from walsup.agent.archiving.lease_holder import grant
from walsup.agent.archiving.takeover_push import inherit
from walsup.agent.context import World
from walsup.agent.lag_meter import Meter
from walsup.agent.state import BackupSeen, Gate, Previous
from walsup.archive.catalog import owner_line
from walsup.archive.engine import adapter, daemon_client, decryption, encryption_key
from walsup.archive.engine.adapter import Engine
from walsup.archive.engine.scratch import scratch, scratch_if_room
from walsup.archive.faults import Fault, FaultKind
from walsup.archive.owner_record import Owner
from walsup.archive.ownership import conditional_writes, divergence, run_continuity, takeover
from walsup.archive.ownership.admission import Claimant, Kept, Wait
from walsup.archive.ownership.claim import Ask, Rivals, claim
from walsup.archive.ownership.conditional_writes import Conditional
from walsup.archive.ownership.divergence import Compared
from walsup.archive.ownership.identity import Evidence, gather
from walsup.archive.ownership.lease import Lease
from walsup.archive.storage.bucket import Bucket
from walsup.datadir import markers
from walsup.datadir.continuity import Position
from walsup.postgres import pg_control
from walsup.postgres.sql.connection import archives
from walsup.postgres.wal import Segment
from walsup.postgres.wal_files import timeline_history

_DAEMON_PATIENCE_S = 10.0


class Doorkeeper:
    """Opens the gate, if the archive is or may be ours. It remembers what it has seen of rivals."""

    def __init__(self, world: World, carrier: Engine) -> None:
        self._world = world
        self._carrier = carrier
        self._rivals = Rivals()
        self._tested: tuple[Bucket, Conditional] | None = None

    async def open(self, bucket: Bucket) -> Fault | None:
        """Go through all steps once; gives what stands in the way.

        Raises:
            what the bucket, the data directory's files or the engine raise.
        """
        world, pgdata = self._world, self._world.settings.pgdata
        if not self._carrier.room.hard_bytes:
            room_here = engine_memory.find(world.settings, self._carrier)
            self._carrier = world.engine = self._carrier._replace(room=room_here)
        found = pg_control.read(pgdata)
        world.board.put(system_id=found.system_id, segment_bytes=found.segment_size)
        key = await asyncio.to_thread(encryption_key.fingerprint, world.settings, found.system_id)
        who = replace(
            takeover.claimant(world.settings, world.boot, self._carrier.name),
            position=Position.of(found),
            encryption=key,
        )
        answer = await claim(bucket, who, self._rivals, self._ask(bucket, who))
        match answer:
            case Wait(fault=fault, living=living):
                world.rival = living
                return fault
            case Kept(fault=fault, foreign=foreign, living=living):
                world.rival = living
                if foreign:
                    markers.remember_foreign(pgdata, str(world.settings.archive), fault.problem)
                return fault
        is_adopted = markers.adoption(pgdata, str(world.settings.archive)) is not None
        self._remember(answer)
        await world.continuity.settle()
        self._demand_backup(answer)
        self._show_previous(answer.owner)
        world.lease = answer
        if world.fencing is not None:
            world.fencing.renewed(answer.began_s, answer.owner.heirs)
        if not archives(pgdata):
            return Fault(
                kind=FaultKind.NOT_THE_OWNER,
                problem="the archive is ours now, but this run began with archive_mode=off",
                remedy="restart the container: archive_mode changes only then",
            )
        if is_adopted:
            await until_landed(answer)
        unproven = await prove_history(world, self._carrier, answer, found.timeline)
        if unproven is not None:
            return unproven
        unproven = await inherit(world, self._carrier, answer, found)
        if unproven is not None:
            return unproven
        return await self._let_through(answer)

    async def _conditional(self, bucket: Bucket) -> Conditional | Fault:
        """Give a bucket whose conditions hold; a server that honours none is not trusted."""
        if self._tested is None or self._tested[0] is not bucket:
            chosen = await conditional_writes.trusted(
                bucket, unsafe=self._world.settings.unsafe_owner
            )
            if isinstance(chosen, Fault):
                return chosen
            self._tested = (bucket, chosen)
        return self._tested[1]

    def _ask(self, bucket: Bucket, claimant: Claimant) -> Ask:
        world, found = self._world, claimant.control
        pgdata, run_dir = world.settings.pgdata, world.run_dir

        async def whose() -> Evidence:
            engine_daemon.render(
                world, world.settings.compression or adapter.DEFAULT_COMPRESSION[self._carrier.name]
            )
            with scratch(run_dir, pgdata, found.segment_size) as place:
                return await gather(
                    bucket, self._carrier, world.engine_config, place, world.secrets()
                )

        async def compare(wanted: Owner) -> Compared:
            note = world.continuity.note
            key, timeline = claimant.encryption, found.timeline
            why = run_continuity.why_not(wanted, note, world.boot, key, timeline)
            if self._goes_on() and not why:
                return Compared(None)
            engine_daemon.render(world, wanted.compression)
            following = Segment.containing(wanted.lsn, wanted.timeline, found.segment_size)
            with scratch_if_room(run_dir, pgdata, found.segment_size) as place:
                sides = divergence.Sides(
                    bucket, self._carrier, world.engine_config, pgdata, place, world.secrets()
                )
                # The last proven one itself: what is listed has to be on this disk too.
                readable = not (
                    run_continuity.is_other_key(wanted, claimant.encryption)
                    or decryption.lacking(world.settings)
                )
                # One that was promoted has replayed what the archive has.
                was_standby = world.board.snapshot.standby.phase != "none"
                at_lsn = 0 if was_standby else run_continuity.began_at(wanted, note, world.boot)
                compared = await divergence.compare(
                    sides,
                    found,
                    following.previous(),
                    owner_line.timelines(wanted),
                    readable=readable,
                    at_lsn=at_lsn,
                )
            if not compared.joined and markers.has_strayed(pgdata):
                log.warning("archive.not_joined", effect="a new base backup is taken")
                why = why or "postgres ran without this archive, and has removed what would join"
            if why:
                log.warning("archive.not_continued", problem=why)
            # What is written with another key may have begun in the middle of this run.
            since_lsn = world.board.snapshot.database.current_lsn if world.meter else 0
            return compared._replace(joined=not why, because=why, since_lsn=since_lsn)

        return Ask(whose, compare, lambda: self._conditional(bucket))

    def _demand_backup(self, lease: Lease) -> None:
        """Have a base backup taken that the new lease demands and the last one did not."""
        before = self._world.lease
        if before is not None and before.owner.backups_from < lease.owner.backups_from:
            self._world.board.put(backup=BackupSeen(state="waiting for a first segment"))
            self._world.hole_found.set()

    def _show_previous(self, owner: Owner) -> None:
        """Show the end of the last run as the archive has it, where the directory has no note."""
        board = self._world.board
        if board.snapshot.previous.how == "unknown" and owner.verdict:
            board.put(
                previous=Previous(
                    how="stopped",
                    verdict=owner.verdict,
                    at=owner.verdict_at,
                    told_by="archive",
                )
            )

    def _goes_on(self) -> bool:
        """Tell whether only the agent was restarted: the daemon of this very boot carries on."""
        world = self._world
        return bool(world.board.snapshot.init.engine_generation) and world.meter is None

    def _remember(self, lease: Lease) -> None:
        pgdata, archive = self._world.settings.pgdata, str(self._world.settings.archive)
        markers.remember_owned(pgdata, archive)
        markers.remember_epoch(pgdata, archive, lease.owner.epoch)
        if markers.adoption(pgdata, archive) is not None:
            self._world.adopted.set()
        markers.forget_adoption(pgdata)
        markers.forget_foreign(pgdata)
        markers.forget_straying(pgdata)

    async def _let_through(self, lease: Lease) -> Fault | None:
        """Start the daemon anew, wait until it answers, wake the archiver."""
        world, owner, carrier = self._world, lease.owner, self._carrier
        generation = 0
        if carrier.has_daemon:
            generation = await self._start_daemon(lease)
        else:
            engine_daemon.render(world, owner.compression)
        if world.meter is None:
            world.meter = self._meter(owner)
        if generation and not await self._answers(generation):
            return Fault(
                kind=FaultKind.ENGINE_BROKEN,
                problem=f"{carrier.name} was started, but does not answer on {world.engine_socket}",
            )
        grant(world, lease)
        world.board.put(
            gate=Gate(
                state="open",
                engine=carrier.name,
                compression=owner.compression,
                epoch=owner.epoch,
                origin_lsn=self._origin(owner),
                daemon=carrier.has_daemon,
            )
        )
        log.info("gate.opened", engine=carrier.name, epoch=owner.epoch, generation=generation)
        world.pid1.reload()
        return None

    def _origin(self, owner: Owner) -> int:
        """Give the LSN from which on this claim proves: the owner's, or where its line was left.

        A restore to the past begins far before the end of what the owner has proven.
        """
        pgdata = self._world.settings.pgdata
        left = timeline_history.left(pgdata, pg_control.read(pgdata).timeline)
        behind = [s.switch_lsn for s in left if s.timeline == owner.timeline]
        return min([owner.lsn, *behind])

    async def _start_daemon(self, lease: Lease) -> int:
        world, seen = self._world, self._world.board.snapshot.init.engine_generation
        # Secret files may have changed while no agent was there to see it.
        if self._goes_on() and not engine_daemon.render(world, lease.owner.compression):
            return seen
        await engine_daemon.until_quiet(world)
        return engine_daemon.launch(world, self._carrier, lease)

    async def _answers(self, generation: int) -> bool:
        world, deadline_s = self._world, time.monotonic() + _DAEMON_PATIENCE_S
        while world.pid1.read().engine_generation < generation or not await daemon_client.check(
            world.engine_socket
        ):
            if time.monotonic() > deadline_s:
                return False
            await asyncio.sleep(0.05)
        return True

    def _meter(self, owner: Owner) -> Meter:
        """Measure from the owner's proven LSN on; what already waits gives the first age."""
        seen = self._world.board.snapshot
        first = Segment.containing(owner.lsn, owner.timeline, seen.segment_bytes)
        since_s = time.monotonic() - seen.waiting.oldest_age_s if seen.waiting.ready else None
        return Meter(first.previous(), waiting_since_s=since_s)
