"""The gate (S6b, S7): shut until the archive is known to be ours, then a fresh daemon."""

import asyncio
import contextlib
import time

from walsup import log, units
from walsup.agent import room
from walsup.agent.board import Gate
from walsup.agent.lag import Meter
from walsup.agent.world import World
from walsup.archive import claim, daemon, engine, oneshot
from walsup.archive.bucket import Bucket
from walsup.archive.classify import classify
from walsup.archive.evidence import Evidence, gather
from walsup.archive.fault import Fault
from walsup.archive.room import Room
from walsup.postgres import control, memory
from walsup.postgres.server import postmaster
from walsup.postgres.wal import Segment
from walsup.private import write_private

_FIRST_RETRY_S = 0.5
_LONGEST_RETRY_S = 15.0
_DAEMON_PATIENCE_S = 10.0
# Until there is a lease (S2): how soon an archive taken by somebody else is let go of.
_CONFIRM_EVERY_S = 15.0


async def gate(world: World) -> None:
    """Open the gate, and open it anew when the credentials have changed."""
    if world.bucket is None:
        await world.stopping.wait()
        return
    failures = 0
    while True:
        fault = await _try_open(world, world.bucket)
        if fault is None:
            failures = 0
            world.board.clear("gate")
            fault = await _until_lost(world)
        failures += 1
        if fault is not None:
            _shut(world, fault)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(
                    units.backoff(failures, _FIRST_RETRY_S, _LONGEST_RETRY_S)
                ):
                    await world.reopen.wait()
        world.reopen.clear()


async def _until_lost(world: World) -> Fault | None:
    """Wait until the gate must be opened anew (None), or the archive is not ours any more."""
    while True:
        try:
            async with asyncio.timeout(_CONFIRM_EVERY_S):
                await world.reopen.wait()
        except TimeoutError:
            pass
        else:
            log.info("gate.reopening", reason="the credentials have changed")
            return None
        try:
            lost = world.bucket and await claim.still_ours(world.bucket, world.boot)
        except Exception:  # noqa: BLE001, S112 (the listing says what is wrong with the bucket)
            continue
        if lost:
            return lost


def _running(world: World) -> bool:
    pid = world.board.snapshot.init.postgres_pid
    return bool(pid) and postmaster(world.settings.pgdata) is not None


def _shut(world: World, fault: Fault) -> None:
    # Shut means that there is no daemon: every push fails, and WAL waits.
    world.pid1.no_engine()
    world.board.fault("gate", fault)
    world.board.put(gate=Gate(state="shut", reason=f"{fault.kind}: {fault.problem}"))


async def _try_open(world: World, bucket: Bucket) -> Fault | None:
    """Go through all steps once; gives what stands in the way."""
    if world.engine is None or isinstance(world.engine, Fault):
        return world.engine
    while not _running(world) and not world.sweeping.is_set():  # noqa: ASYNC110 (files have no event)
        await asyncio.sleep(0.05)
    try:
        return await _open(world, bucket, world.engine)
    except Exception as raised:  # noqa: BLE001 (whatever it is, the gate stays shut and says why)
        return classify(raised)


async def _open(world: World, bucket: Bucket, carrier: engine.Engine) -> Fault | None:
    pgdata = world.settings.pgdata
    found = control.read(pgdata)
    world.board.put(system_id=found.system_id, segment_bytes=found.segment_size)
    if not carrier.room.hard_bytes:
        carrier = world.engine = carrier._replace(room=room.find(world.settings, carrier))
    claimant = claim.Claimant(
        control=found,
        instance=memory.instance(pgdata),
        boot=world.boot,
        compression=world.settings.compression or engine.DEFAULT_COMPRESSION[carrier.name],
    )

    async def whose() -> Evidence:
        _render(world, claimant.compression)
        return await gather(bucket, carrier, world.engine_config, world.run_dir)

    if world.meter is not None and (lost := await claim.still_ours(bucket, world.boot)):
        # An archive that this run has owned is never claimed as a new or an empty one (S6c).
        return lost
    answer = await claim.confirm(bucket, claimant, whose)
    if isinstance(answer, claim.Foreign):
        memory.remember_foreign(pgdata, str(world.settings.archive), answer.fault.problem)
        return answer.fault
    if memory.foreign(pgdata, str(world.settings.archive)):
        memory.forget_foreign(pgdata)
        return Fault(
            kind="not the owner",
            problem="the archive is ours now, but this run began with archive_mode=off",
            remedy="restart the container: archive_mode changes only then",
        )
    return await _daemon(world, carrier, answer)


async def _daemon(world: World, carrier: engine.Engine, held: claim.Held) -> Fault | None:
    """Start the daemon anew, wait until it answers, wake the archiver."""
    owner, before = held.owner, world.board.snapshot
    if before.init.engine_generation and world.meter is None:
        # Only the agent was restarted: the daemon of this very boot goes on.
        generation = before.init.engine_generation
    else:
        generation = world.next_generation(before.init.engine_generation)
        _render(world, owner.compression)
        world.pid1.want_engine(
            generation,
            carrier.daemon_argv(world.engine_config, world.engine_socket),
            oneshot.environment() | {"PGDATA": str(world.settings.pgdata)},
        )
    if world.meter is None:
        world.meter = _meter(world, held)
    deadline_s = time.monotonic() + _DAEMON_PATIENCE_S
    while world.pid1.read().engine_generation != generation or not await daemon.check(
        world.engine_socket
    ):
        if time.monotonic() > deadline_s:
            return Fault(
                kind="engine broken",
                problem=f"{carrier.name} was started, but does not answer on {world.engine_socket}",
            )
        await asyncio.sleep(0.05)
    world.board.put(
        gate=Gate(
            state="open",
            engine=carrier.name,
            compression=owner.compression,
            epoch=owner.epoch,
            origin_lsn=owner.lsn,
        )
    )
    log.info("gate.opened", engine=carrier.name, epoch=owner.epoch, generation=generation)
    world.pid1.reload()
    return None


def _meter(world: World, held: claim.Held) -> Meter:
    """Measure from the owner's proven LSN on; what already waits gives the first age."""
    size = world.board.snapshot.segment_bytes
    first = Segment.containing(held.owner.lsn, held.owner.timeline, size)
    waiting = world.board.snapshot.waiting
    since_s = time.monotonic() - waiting.oldest_age_s if waiting.ready else None
    origin = Segment(timeline=first.timeline, number=first.number - 1, size=size)
    return Meter(origin, waiting_since_s=since_s)


def _render(world: World, compression: str) -> None:
    server = postmaster(world.settings.pgdata)
    region = world.bucket.region if world.bucket else None
    text = engine.render(
        world.settings._replace(region=region),
        compression=compression,
        socket_dir=server.socket_dir if server else str(world.run_dir),
        port=server.port if server else 5432,
        segment_bytes=world.board.snapshot.segment_bytes,
        room=world.engine.room if isinstance(world.engine, engine.Engine) else Room(),
    )
    write_private(world.engine_config, text)
