"""The agent's checks for a claim: the archive's cluster, and whether the disk continues it."""

from walsup import log
from walsup.agent.archiving import engine_daemon
from walsup.agent.context import AgentContext
from walsup.agent.states import StandbyPhase
from walsup.archive.catalog import owner_line
from walsup.archive.engine import adapter, decryption
from walsup.archive.engine.adapter import Engine
from walsup.archive.engine.scratch import scratch, scratch_if_room
from walsup.archive.faults import Fault
from walsup.archive.owner_record import Owner
from walsup.archive.ownership import conditional_writes, divergence, run_continuity
from walsup.archive.ownership.claimant import Claimant
from walsup.archive.ownership.conditional_writes import Conditional
from walsup.archive.ownership.divergence import Divergence
from walsup.archive.ownership.identity import Evidence, gather
from walsup.archive.storage.bucket import Bucket
from walsup.datadir import markers
from walsup.postgres.wal import Segment


class TrustedBucket:
    """Remembers the bucket whose conditional writes were tested; a test costs several requests."""

    def __init__(self) -> None:
        self._tested: tuple[Bucket, Conditional] | None = None

    async def of(self, bucket: Bucket, *, unsafe: bool) -> Conditional | Fault:
        """Return the bucket once its conditional writes are tested, else the fault."""
        if self._tested is None or self._tested[0] is not bucket:
            chosen = await conditional_writes.trusted(bucket, unsafe=unsafe)
            if isinstance(chosen, Fault):
                return chosen
            self._tested = (bucket, chosen)
        return self._tested[1]


class ClaimChecks:
    """The checks of one claim, with the engine and the data directory of this agent."""

    def __init__(
        self,
        context: AgentContext,
        engine: Engine,
        bucket: Bucket,
        claimant: Claimant,
        trusted: TrustedBucket,
    ) -> None:
        self._context = context
        self._engine = engine
        self._bucket = bucket
        self._claimant = claimant
        self._trusted = trusted

    async def cluster_in_archive(self) -> Evidence:
        """Return what the objects in the archive show about their cluster."""
        context, pgdata = self._context, self._context.settings.pgdata
        engine_daemon.render(
            context,
            context.settings.compression or adapter.DEFAULT_COMPRESSION[self._engine.name],
        )
        with scratch(context.run_dir, pgdata, self._claimant.control.segment_size) as place:
            return await gather(
                self._bucket, self._engine, context.engine_config, place, context.secrets()
            )

    async def compare_with_disk(self, wanted: Owner) -> Divergence:
        """Return whether the disk continues what the archive has, and why a backup is needed."""
        context, note = self._context, self._context.session.continuity.note
        key, timeline = self._claimant.encryption, self._claimant.control.timeline
        why = run_continuity.why_not(wanted, note, context.boot, key, timeline)
        if continues_daemon(context) and not why:
            return Divergence(None)
        engine_daemon.render(context, wanted.compression)
        compared = await self._compare(wanted)
        if not compared.joined and markers.has_strayed(context.settings.pgdata):
            log.warning("archive.not_joined", effect="a new base backup is taken")
            why = why or "postgres ran without this archive and removed the WAL that continues it"
        if why:
            log.warning("archive.not_continued", problem=why)
        # WAL encrypted with another key may have begun in the middle of this run.
        since_lsn = context.board.snapshot.database.current_lsn if context.session.meter else 0
        return compared._replace(joined=not why, because=why, since_lsn=since_lsn)

    async def conditional_bucket(self) -> Conditional | Fault:
        """Return the bucket with conditional writes, or why it has none."""
        unsafe = self._context.settings.unsafe_owner
        return await self._trusted.of(self._bucket, unsafe=unsafe)

    async def _compare(self, owner: Owner) -> Divergence:
        context, control = self._context, self._claimant.control
        pgdata, size = context.settings.pgdata, control.segment_size
        following = Segment.containing(owner.lsn, owner.timeline, size)
        with scratch_if_room(context.run_dir, pgdata, size) as place:
            sides = divergence.Sides(
                self._bucket,
                self._engine,
                context.engine_config,
                pgdata,
                place,
                context.secrets(),
            )
            # The last verified segment itself: what is listed must be on this disk too.
            readable = not (
                run_continuity.is_other_key(owner, self._claimant.encryption)
                or decryption.lacking(context.settings)
            )
            # A promoted standby has replayed what the archive has.
            was_standby = context.board.snapshot.standby.phase != StandbyPhase.NONE
            note = context.session.continuity.note
            at_lsn = 0 if was_standby else run_continuity.began_at(owner, note, context.boot)
            return await divergence.compare(
                sides,
                control,
                following.previous(),
                owner_line.timelines(owner),
                readable=readable,
                at_lsn=at_lsn,
            )


def continues_daemon(context: AgentContext) -> bool:
    """Return whether only the agent was restarted: the daemon of this boot still runs."""
    return bool(context.board.snapshot.init.engine_generation) and context.session.meter is None
