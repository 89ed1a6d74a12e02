"""The end of a stop: push what is left in pg_wal, look into the bucket, say the verdict."""

import asyncio
import time
from dataclasses import dataclass

from walsup import log
from walsup.agent.complete import proven
from walsup.agent.holding import withdraw
from walsup.agent.world import World
from walsup.archive import catalog, daemon, oneshot
from walsup.archive.bucket import Bucket
from walsup.archive.classify import classify
from walsup.archive.engine import Engine
from walsup.archive.lease import Lease, LostError, now_s
from walsup.errors import WalsupError
from walsup.postgres import archiver, control, standing
from walsup.postgres.control import ControlData, DBState
from walsup.postgres.ready import ready_names
from walsup.postgres.wal import Segment, show_lsn

_QUESTION = "everything before the shutdown checkpoint is in the bucket"
_SHOWN = 5
_LONG_HEADER_BYTES = 40
_RETRY_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """What has to be in the bucket: all segments up to `last`, and nothing lies behind it."""

    last: Segment
    rest_bytes: int


async def stop(world: World) -> None:
    """Wait for postgres's end, sweep, and give PID 1 the verdict."""
    await world.sweeping.wait()
    if world.bucket is None:
        return
    await world.continuity.end()
    deadline_s = world.board.snapshot.init.stop_deadline_s or time.monotonic() + 5.0
    try:
        async with asyncio.timeout(max(0.1, deadline_s - time.monotonic() - 0.2)):
            verdict = await _sweep(world, world.bucket)
    except TimeoutError:
        verdict = f"{_QUESTION}: no: {_behind(world)} could not be proven in time"
    except WalsupError as fault:
        verdict = f"{_QUESTION}: no: {fault.problem}"
    log.info("stop.verdict", verdict=verdict)
    await world.continuity.close(verdict)
    world.pid1.verdict(verdict)


async def _sweep(world: World, bucket: Bucket) -> str:
    if standing.is_standby(world.settings.pgdata):
        replay_lsn = world.board.snapshot.standby.replay_lsn
        return f"a standby archives nothing; it was replayed up to {show_lsn(replay_lsn)}"
    return await _prove(world, bucket)


async def _prove(world: World, bucket: Bucket) -> str:
    found = control.read(world.settings.pgdata)
    while world.board.snapshot.gate.state == "opening":  # noqa: ASYNC110 (a stop right after a start)
        await asyncio.sleep(_RETRY_S / 4)
    gate, meter = world.board.snapshot.gate, world.meter
    lease = world.lease
    if meter is None or lease is None or gate.state != "open":
        return f"{_QUESTION}: no: the gate is {gate.state}: {gate.reason or 'it was never opened'}"
    if found.state not in (DBState.SHUT_DOWN, DBState.SHUT_DOWN_IN_RECOVERY):
        mark = await _leave_crashed(world, bucket, lease, meter.mark)
        return (
            f"{_QUESTION}: no: postgres did not shut down ({found.state.label});"
            f" WAL behind {show_lsn(mark.end_lsn)} is only on the disk"
        )
    needed = needed_for(found)
    if found.timeline > meter.mark.timeline:
        world.follow_history(found.timeline)
    while True:
        meter.proven(await _advance(world, bucket, meter.mark))
        mark = meter.mark
        if mark.number >= needed.last.number:
            break
        if not await _push_ready(world):
            await asyncio.sleep(_RETRY_S)
    missing = await _release(world, lease, mark, ended=not needed.rest_bytes) or _lost(world)
    if not missing and needed.rest_bytes:
        before = show_lsn(found.checkpoint_lsn)
        missing = f"{needed.rest_bytes} bytes before {before} are only on the disk"
    if missing:
        return f"{_QUESTION}: no: {missing}"
    return f"{_QUESTION}: yes ({mark.name}, {show_lsn(found.checkpoint_lsn)})"


async def _leave_crashed(world: World, bucket: Bucket, lease: Lease, mark: Segment) -> Segment:
    """Push what can be pushed, and give the archive up; gives the end of what is proven."""
    await _push_ready(world)
    mark = await _advance(world, bucket, mark)
    # Who reads "stopped" may write at once: a push that is under way must have ended before.
    withdraw(world)
    while world.pid1.read().engine_pid:  # noqa: ASYNC110 (a file has no event)
        await asyncio.sleep(_RETRY_S / 4)
    # So must one without a daemon, which a postmaster that crashes leaves behind.
    while archiver.has_push_of(world.engine_config):  # noqa: ASYNC110 (nor has a process)
        await asyncio.sleep(_RETRY_S / 4)
    await _release(world, lease, mark)
    return mark


def _lost(world: World) -> str:
    """Name what is nowhere any more and not yet behind a base backup, "" when nothing is."""
    seen = world.board.snapshot
    if first := [hole.first for hole in seen.holes if not hole.covered_by]:
        return f"{', '.join(first[:_SHOWN])} is lost, and no base backup lies behind it"
    from_lsn = world.lease.owner.backups_from if world.lease else 0
    if from_lsn and seen.backup.state != "proven":
        because = world.lease.owner.backups_because if world.lease else ""
        why = f" ({because})" if because else ""
        return (
            f"WAL before {show_lsn(from_lsn)} is lost or unsure{why}, with no base backup behind it"
        )
    return ""


def needed_for(found: ControlData) -> Needed:
    """Tell what a clean shutdown needs in the bucket. Pure.

    A fast shutdown switches the segment before its checkpoint, which is then the first record of
    its own: 40 bytes behind the segment's start.
    """
    segment = Segment.containing(found.checkpoint_lsn, found.timeline, found.segment_size)
    return Needed(
        last=segment.previous(),
        rest_bytes=max(0, found.checkpoint_lsn - segment.start_lsn - _LONG_HEADER_BYTES),
    )


async def _advance(world: World, bucket: Bucket, mark: Segment) -> Segment:
    try:
        return (await catalog.advance(bucket, mark)).mark
    except Exception as raised:  # noqa: BLE001 (retried until the deadline)
        world.board.fault("bucket", classify(raised))
        await asyncio.sleep(_RETRY_S)
        return mark


async def _push_ready(world: World) -> bool:
    """Push what is still `.ready`, oldest first; False when nothing was pushed.

    archive_status itself is PostgreSQL's and never touched.
    """
    pushed = False
    waiting = ready_names(world.settings.pgdata)
    for name in waiting.own:
        held = world.lease is not None and world.lease.is_held
        if not held or not await _push(world, name, alone=bool(waiting.foreign)):
            return pushed
        pushed = True
        log.info("segment.swept", name=name)
    return pushed


async def _push(world: World, name: str, *, alone: bool) -> bool:
    """Push a file; `alone`: past the daemon, which would push along what else is `.ready`."""
    left_s = world.lease.until_s - now_s() if world.lease else 0.0
    timeout_s = max(0.0, min(world.settings.stop_grace_s, left_s))
    engine = world.engine
    if not isinstance(engine, Engine) or (engine.has_daemon and not alone):
        return await daemon.push(world.engine_socket, name, timeout_s)
    argv = engine.push_argv(world.engine_config, world.settings.pgdata / "pg_wal" / name)
    return await oneshot.run(argv, world.run_dir / "wal-push.log", timeout_s=timeout_s) == 0


async def _release(world: World, lease: Lease, mark: Segment, *, ended: bool = False) -> str:
    """Mark the owner stopped, with what is proven; gives why the archive is not ours, or "".

    What was listed is our WAL only if the archive has been ours until now.
    """
    while True:
        # The gate may have been opened anew meanwhile, with another tag.
        lease = world.lease or lease
        try:
            await lease.release(proven(world, mark, ended=ended))
        except LostError as lost:
            return lost.fault.problem
        except Exception as raised:  # noqa: BLE001 (retried until the deadline)
            log.warning("owner.not_released", problem=classify(raised).problem)
            await asyncio.sleep(_RETRY_S)
        else:
            return ""


def _behind(world: World) -> str:
    """Name what is missing."""
    names = ready_names(world.settings.pgdata).own
    if names:
        return ", ".join(names[:_SHOWN]) + (
            f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        )
    return (
        "the last segment"
        if world.meter is None
        else f"WAL behind {show_lsn(world.meter.mark.end_lsn)}"
    )
