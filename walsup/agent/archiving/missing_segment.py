"""Why the first unverified segment is missing, and what can be done about it.

`.done` is no proof, and WAL-RUS's daemon acknowledges names that it remembers without
uploading them: what was reported archived and is not in the bucket is pushed again from pg_wal.
"""

import asyncio
import os
from pathlib import Path

from walsup import log
from walsup.agent.archiving import engine_daemon
from walsup.agent.context import AgentContext
from walsup.agent.lag_meter import Meter
from walsup.agent.snapshot import Hole
from walsup.agent.subject import Subject
from walsup.archive.catalog import listing
from walsup.archive.engine import daemon_client
from walsup.archive.engine.adapter import Engine
from walsup.archive.engine.commands import Commands
from walsup.archive.faults import Fault, FaultKind
from walsup.archive.ownership.lease import now_s
from walsup.archive.storage.bucket import Bucket
from walsup.archive.storage.fault_mapping import classify
from walsup.postgres.wal import Segment
from walsup.postgres.wal_files import timeline_history

_PUSH_TIMEOUT_S = 60.0
_CHECK_TIMEOUT_S = 2.0


async def examine(context: AgentContext, let_go: asyncio.Event, *, failing: bool) -> Fault | None:
    """Return why the first segment is missing; None when it is not, or is being pushed.

    `failing`: pushes through the daemon fail, and the agent does not see their output: it pushes
    the segment itself to learn why.
    """
    meter, bucket, engine = context.session.meter, context.session.bucket, context.session.engine
    if meter is None or bucket is None or not isinstance(engine, Engine):
        return None
    # An unfinished segment would be uploaded half, and its later push always rejected.
    mark, finished = meter.mark, meter.has_finished_segments
    try:
        name = mark.next().name
        pg_wal = context.settings.pgdata / "pg_wal"
        # Checked before the bucket: in the other order an upload in between would look like a gap.
        waits = (pg_wal / "archive_status" / f"{name}.ready").exists()
        # A push that was running when nothing seemed to move may have finished. If its `.ready`
        # is left, the object may be another program's: a push shows it.
        listed = (await listing.advance(bucket, mark)).mark != mark
        arrived = (listed and not (waits and failing)) or meter.mark != mark
        if arrived or not finished:
            return None
        if waits:
            if not failing or await _replaced_silent(context):
                return None
            return await _push(context, engine, name, let_go)
        if (pg_wal / name).exists():
            return await _push_again(context, bucket, engine, name, let_go)
        await _declare_hole(context, bucket, meter, pg_wal)
    except Exception as raised:  # noqa: BLE001 (whatever the client raises is a fault)
        context.board.fault(Subject.BUCKET, classify(raised))
    return None


async def _replaced_silent(context: AgentContext) -> bool:
    """Replace a daemon that does not answer; pushes by the agent would hide that it fails."""
    if not context.board.snapshot.gate.daemon:
        return False
    if await daemon_client.answers(context.engine_socket, _CHECK_TIMEOUT_S):
        return False
    problem = "pushes fail, and the engine's daemon does not answer"
    context.board.fault(
        Subject.SEGMENTS,
        Fault(kind=FaultKind.ENGINE_BROKEN, problem=f"{problem}; walsup replaces it"),
    )
    return engine_daemon.replace(context, problem)


async def _push(
    context: AgentContext, engine: Engine, name: str, let_go: asyncio.Event
) -> Fault | None:
    lease = context.session.lease
    if lease is None or not lease.is_held:
        return None
    timeout_s = min(_PUSH_TIMEOUT_S, max(0.0, lease.until_s - now_s()))
    commands = Commands(engine=engine, config=context.engine_config, secrets=context.secrets())
    failure = await commands.push(
        context.settings.pgdata / "pg_wal" / name,
        context.run_dir / "wal-push.log",
        timeout_s=timeout_s,
        cancelled=let_go,
    )
    log.info("segment.pushed", name=name, exit_code=failure.code if failure else 0)
    if failure is None or let_go.is_set():
        return None
    return failure.ended(f"{engine.name} wal-push of {name}", shows_lines=True)


async def _push_again(
    context: AgentContext, bucket: Bucket, engine: Engine, name: str, let_go: asyncio.Event
) -> Fault | None:
    log.warning("segment.pushed_again", name=name)
    context.board.fault(
        Subject.SEGMENTS,
        Fault(
            kind=FaultKind.HOLE,
            problem=f"segment {name} was reported archived, but is not in the bucket; walsup pushes"
            " it again from pg_wal",
            remedy="find out what deletes objects below the archive's prefix",
        ),
    )
    engine_daemon.replace(context, f"{name} was reported archived, and was not in the bucket")
    fault = await _push(context, engine, name, let_go)
    if fault or let_go.is_set() or await listing.key_of(bucket, name):
        return fault
    return Fault(
        kind=FaultKind.ENGINE_DISAGREES,
        problem=f"{engine.name} reports that it has stored {name}, but no object of that name is"
        f" below {context.settings.archive}/wal_005/: the engine writes to another place",
        remedy="look for an engine setting that names another place, or for a program that deletes"
        " objects there; a restore reads only objects below WALSUP_ARCHIVE",
    )


async def _declare_hole(context: AgentContext, bucket: Bucket, meter: Meter, pg_wal: Path) -> None:
    """Record segments that are neither in the bucket nor on the disk, and measure after them."""
    lost = meter.mark.next()
    names = set(await asyncio.to_thread(os.listdir, pg_wal))
    names |= set(await listing.segments_after(bucket, lost))
    available = _first_after(lost, names, timeline_history.own(context.settings.pgdata))
    if available is None or (pg_wal / lost.name).exists():
        return
    hole = Hole(
        first=lost.name,
        last=_before(available, lost).name,
        end_lsn=available.start_lsn,
    )
    meter.skip(available)
    context.board.put(holes=(*context.board.snapshot.holes, hole))
    takes_backup = context.settings.initial_backup
    context.board.fault(
        Subject.HOLE,
        Fault(
            kind=FaultKind.HOLE,
            problem=f"segment {hole.first} was reported archived, but is not in the bucket and no"
            f" longer in pg_wal (lost: up to {hole.last})",
            remedy="no restore passes this gap; "
            + ("walsup takes a new base backup" if takes_backup else "take a new base backup"),
        ),
    )
    context.signals.gap_found.set()


def _first_after(lost: Segment, names: set[str], own: frozenset[int]) -> Segment | None:
    """Return the first of these segments after the lost one, on its timeline or a later one."""
    found = []
    for name in names:
        try:
            segment = Segment.parse(name, lost.size)
        except ValueError:
            continue
        if segment.timeline not in own:
            continue
        if segment.timeline >= lost.timeline and segment.number > lost.number:
            found.append(segment)
    return min(found, key=lambda segment: (segment.timeline, segment.number), default=None)


def _before(available: Segment, lost: Segment) -> Segment:
    return Segment(timeline=lost.timeline, number=available.number - 1, size=lost.size)
