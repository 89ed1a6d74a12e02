"""Pushes segments of earlier timelines that the archive lacks and the new owner still has."""

from walsup import log
from walsup.agent.archiving import engine_daemon
from walsup.agent.archiving.unarchived_slot import let_go
from walsup.agent.context import AgentContext
from walsup.archive.catalog import listing
from walsup.archive.catalog.timelines import TimelineHistory
from walsup.archive.engine.adapter import Engine
from walsup.archive.engine.commands import Commands
from walsup.archive.faults import Fault
from walsup.archive.owner_record import Owner
from walsup.archive.ownership.lease import Lease, Proven, now_s
from walsup.postgres.pg_control import ControlData
from walsup.postgres.wal import Segment
from walsup.postgres.wal_files import timeline_history

_PUSH_TIMEOUT_S = 60.0


async def inherit(
    context: AgentContext, engine: Engine, lease: Lease, control: ControlData
) -> Fault | None:
    """Push the missing segments of earlier timelines; return why one cannot be pushed.

    What pg_wal lacks too is a gap, which the loop of the lag finds and reports.

    Raises:
        what the bucket raises; LostError: another instance owns the archive meanwhile.
    """
    if control.timeline == lease.owner.timeline or context.session.bucket is None:
        return None
    segments = _before(context, lease.owner, control)
    if not segments:
        return None
    archived = {name async for name in listing.from_name(context.session.bucket, segments[0].name)}
    pg_wal = context.settings.pgdata / "pg_wal"
    missing = [segment for segment in segments if segment.name not in archived]
    engine_daemon.render(context, lease.owner.compression)
    for segment in missing:
        if not (pg_wal / segment.name).exists():
            log.warning("segment.not_inherited", name=segment.name, problem="pg_wal lacks it too")
            continue
        if fault := await _push(context, engine, lease, segment):
            return fault
    if missing:
        log.info("segments.inherited", first=missing[0].name, count=len(missing))
    await let_go(context)
    return None


def _before(context: AgentContext, owner: Owner, control: ControlData) -> list[Segment]:
    """Return the segments from the owner's verified end to where this timeline begins."""
    line = TimelineHistory.of(
        control.timeline, timeline_history.left(context.settings.pgdata, control.timeline)
    )
    size = control.segment_size
    numbers = range(owner.lsn // size, line.legs[-1].begin_lsn // size)
    return [Segment(timeline=line.at(n, size).timeline, number=n, size=size) for n in numbers]


async def _push(
    context: AgentContext, engine: Engine, lease: Lease, segment: Segment
) -> Fault | None:
    owner = lease.owner
    if lease.until_s - now_s() < 2 * owner.lease_s:
        await lease.renew(Proven(owner.timeline, owner.lsn, owner.backups_from))
    timeout_s = min(_PUSH_TIMEOUT_S, max(0.0, lease.until_s - now_s()))
    path = context.settings.pgdata / "pg_wal" / segment.name
    commands = Commands(engine=engine, config=context.engine_config, secrets=context.secrets())
    failure = await commands.push(path, context.run_dir / "wal-push.log", timeout_s=timeout_s)
    log.info("segment.pushed", name=segment.name, exit_code=failure.code if failure else 0)
    if failure is None:
        return None
    return failure.fault(
        f"{segment.name}, which the previous owner has not archived, could not be pushed"
    )
