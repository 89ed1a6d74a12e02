"""Archives the history file of a new timeline before anything else of that timeline.

Without it no restore can use the timeline's segments, and the timeline's number looks free.
"""

from walsup import log
from walsup.agent.archiving import engine_daemon
from walsup.agent.context import AgentContext
from walsup.archive.catalog import listing
from walsup.archive.engine import decryption
from walsup.archive.engine.adapter import Engine
from walsup.archive.engine.commands import Commands, Failure
from walsup.archive.faults import Fault, FaultKind
from walsup.archive.ownership import divergence
from walsup.archive.ownership.lease import Lease, now_s

_PUSH_TIMEOUT_S = 30.0


async def prove_history(
    context: AgentContext, engine: Engine, lease: Lease, timeline: int
) -> Fault | None:
    """Push the history file unless the bucket has it; return why it could not be archived.

    Raises:
        what the bucket raises.
    """
    name = f"{timeline:08X}.history"
    path = context.settings.pgdata / "pg_wal" / name
    if timeline == 1 or context.session.bucket is None or not path.exists():
        return None
    engine_daemon.render(context, lease.owner.compression)
    is_there = await listing.is_archived(context.session.bucket, name)
    if is_there and await listing.history_problem(context.session.bucket, timeline):
        return None  # an empty object is no other server's history; the audit shows it
    if is_there:
        if why := decryption.lacking(context.settings):
            log.warning("history.not_compared", name=name, reason=why)
            return None
        sides = divergence.Sides(
            context.session.bucket,
            engine,
            context.engine_config,
            context.settings.pgdata,
            context.run_dir,
            context.secrets(),
        )
        return None if await divergence.same(sides, name) else _taken(name)
    timeout_s = min(_PUSH_TIMEOUT_S, max(0.0, lease.until_s - now_s()))
    output = context.run_dir / "wal-push.log"
    commands = Commands(engine=engine, config=context.engine_config, secrets=context.secrets())
    failure = await commands.push(path, output, timeout_s=timeout_s)
    if failure is None and await listing.is_archived(context.session.bucket, name):
        log.info("history.proven", name=name)
        return None
    failure = failure or Failure.read(0, output, context.secrets())
    return failure.fault(f"{name} could not be archived")


def _taken(name: str) -> Fault:
    return Fault(
        kind=FaultKind.BUCKET_AHEAD,
        problem=f"{name} in the archive differs from the one in pg_wal: another server has already"
        " begun a timeline with this number",
        remedy="set WALSUP_ARCHIVE to a prefix that only this database uses; or, if the other"
        " server is to continue, empty this data directory: walsup builds it again from the"
        " archive",
    )
