"""Ends a primary that finds another primary.

Only a start can change the role of a data directory: the container ends, and prepare decides again.
"""

from walsup import log
from walsup.agent.archiving import engine_daemon
from walsup.agent.context import AgentContext
from walsup.agent.subject import Subject
from walsup.archive.catalog.archive_reader import Reader
from walsup.archive.engine.adapter import DEFAULT_COMPRESSION, Engine
from walsup.archive.engine.reader_config import bounded
from walsup.archive.faults import Fault, FaultKind
from walsup.archive.ownership import role_query, takeover
from walsup.archive.ownership.admission import Rejected, TryAgain
from walsup.archive.ownership.claim import OwnerWatch
from walsup.archive.ownership.role import HeldByAnother, Neither, Rank, StayPrimary, StepDown
from walsup.archive.storage.bucket import Bucket
from walsup.archive.storage.fault_mapping import classify
from walsup.datadir import markers
from walsup.errors import ArchiveError, DataDirectoryError
from walsup.postgres import pg_control, standby_signal
from walsup.postgres.wal import show_lsn


async def step_down(context: AgentContext, fault: Fault) -> None:
    """End a primary whose archive another instance has taken over, if its role allows it."""
    settings = context.settings
    if (
        settings.role == "primary"
        or fault.kind != FaultKind.NOT_THE_OWNER
        or context.signals.stopping.is_set()
    ):
        return
    if standby_signal.is_standby(settings.pgdata) or context.session.bucket is None:
        return
    if rival := context.session.rival:
        log.warning("role.lost", instance=rival.instance, epoch=rival.epoch, boot=rival.boot)
        context.pid1.request_stop(
            f"another start holds the archive and renews its lease (instance {rival.instance},"
            f" timeline {rival.timeline}, epoch {rival.epoch}), and this database has accepted"
            " writes too; the next start takes the role that the archive shows",
            DataDirectoryError.exit_code,
        )
        return
    match await _ask(context, context.session.bucket):
        case StepDown(timeline=timeline, fork_lsn=fork_lsn):
            log.warning("role.lost", timeline=timeline, left_at=show_lsn(fork_lsn))
            context.pid1.request_stop(
                f"another instance is the primary now, on timeline {timeline}; the next start"
                " builds this one again as its standby",
                DataDirectoryError.exit_code,
            )
        case _:
            return


class UnconfirmedPrimary:
    """A start that is read-only because the archive has not answered, until it does."""

    def __init__(self, context: AgentContext) -> None:
        self._context = context
        self._watch = OwnerWatch()

    async def look(self, bucket: Bucket) -> None:
        """Ask the archive; end this start when the answer decides the role.

        A primary claims the archive before that: if another instance could still take it, the
        end would be useless, or the next start would be a second primary.
        """
        context = self._context
        if not markers.is_unsure(context.settings.pgdata):
            return
        match await _ask(context, bucket):
            case StayPrimary(why=why):
                if fault := await self._claim(bucket):
                    context.board.fault(
                        Subject.ROLE, Fault(FaultKind.NOT_FOLLOWING, fault.problem, fault.remedy)
                    )
                    return
                answer = f"the archive says that this is the primary: {why}"
            case StepDown():
                answer = "the archive says that another instance is the primary"
            case Neither(problem=problem, hint=hint) | HeldByAnother(problem=problem, hint=hint):
                context.board.fault(Subject.ROLE, Fault(FaultKind.NOT_FOLLOWING, problem, hint))
                return
            case None:
                return
        log.info("role.sure", why=answer)
        context.pid1.request_stop(
            f"{answer}; the next start takes that role", ArchiveError.exit_code
        )

    async def _claim(self, bucket: Bucket) -> Fault | None:
        """Claim the archive for this instance; return what prevents it."""
        settings = self._context.settings
        try:
            claimant = takeover.claimant(settings, self._context.boot)
            claimed = await takeover.before_start(
                bucket, claimant, self._watch, unsafe=settings.unsafe_owner
            )
        except Exception as raised:  # noqa: BLE001 (asked again with the next look)
            return classify(raised)
        return claimed.fault if isinstance(claimed, (TryAgain, Rejected)) else None


async def _ask(context: AgentContext, bucket: Bucket) -> Rank | None:
    engine = context.session.engine
    if not isinstance(engine, Engine):
        return None
    try:
        control = pg_control.read(context.settings.pgdata)
        # Otherwise only the gate sets them, which a standby never opens; the engine needs them.
        context.board.put(system_id=control.system_id, segment_bytes=control.segment_size)
        engine_daemon.render(
            context, context.settings.compression or DEFAULT_COMPRESSION[engine.name]
        )
        if not engine.room.hard_bytes:
            # Otherwise it would be limited to the agent's memory, which is too little for WAL-G.
            engine = bounded(engine, context.settings)
        reader = Reader(
            bucket=bucket,
            engine=engine,
            config=context.engine_config,
            scratch=context.run_dir,
            secrets=context.secrets(),
        )
        own = role_query.own(context.settings.pgdata, str(context.settings.archive))
        return await role_query.ask(reader, own)
    except Exception as raised:  # noqa: BLE001 (asked again with the next look)
        log.info("role.not_asked", problem=classify(raised).problem)
        return None
