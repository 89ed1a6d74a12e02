"""The gate (S6b, S7): shut until the archive is known to be ours, then held by the lease."""

import asyncio
import contextlib

from walsup import units
from walsup.agent.archiving.gate_opening import Doorkeeper
from walsup.agent.archiving.lease_holder import hold, withdraw
from walsup.agent.archiving.promotion import until_primary
from walsup.agent.context import World
from walsup.agent.standby.demotion import step_down
from walsup.agent.state import Gate
from walsup.agent.subject import Subject
from walsup.archive.engine.adapter import Engine
from walsup.archive.faults import Fault
from walsup.archive.storage.fault_mapping import classify
from walsup.datadir import markers, restore_state
from walsup.postgres.sql.connection import postmaster

_FIRST_RETRY_S = 0.5
_LONGEST_RETRY_S = 15.0
_LOOK_EVERY_S = 1.0


async def gate(world: World) -> None:
    """Open the gate, hold it open, and open it anew when the credentials have changed."""
    if world.bucket is None:
        await world.stopping.wait()
        return
    failures = 0
    keeper = Doorkeeper(world, world.engine) if isinstance(world.engine, Engine) else None
    while True:
        fault = await _try_open(world, keeper)
        if fault is None and world.lease is not None:
            failures = 0
            world.board.clear(Subject.GATE)
            fault = await hold(world, world.lease)
        if fault is not None:
            failures += 1
            _shut(world, fault)
            await step_down(world, fault)
            longest_s = min(_LONGEST_RETRY_S, world.settings.lease_s)
            await _until_worth_trying(world, units.backoff(failures, _FIRST_RETRY_S, longest_s))
        world.reopen.clear()


async def _try_open(world: World, keeper: Doorkeeper | None) -> Fault | None:
    if keeper is None or world.bucket is None:
        return world.engine if isinstance(world.engine, Fault) else None
    while not _running(world) and not world.sweeping.is_set():  # noqa: ASYNC110 (files have no event)
        await asyncio.sleep(0.05)
    if restore_state.is_under_way(world.settings.pgdata):
        world.board.put(gate=Gate(state="shut", reason="a restore is under way"))
        while restore_state.is_under_way(world.settings.pgdata) and not world.sweeping.is_set():  # noqa: ASYNC110 (as above)
            await asyncio.sleep(0.05)
    await until_primary(world)
    world.rival = None
    try:
        return await keeper.open(world.bucket)
    except Exception as raised:  # noqa: BLE001 (whatever it is, the gate stays shut and says why)
        return classify(raised)


def _running(world: World) -> bool:
    pid = world.board.snapshot.init.postgres_pid
    return bool(pid) and postmaster(world.settings.pgdata) is not None


def _shut(world: World, fault: Fault) -> None:
    withdraw(world)
    world.board.fault(Subject.GATE, fault)
    world.board.put(gate=Gate(state="shut", reason=f"{fault.kind}: {fault.problem}"))


async def _until_worth_trying(world: World, pause_s: float) -> None:
    """Wait, but not when a person has decided meanwhile (`walsup adopt`)."""
    archive = str(world.settings.archive)
    before = markers.adoption(world.settings.pgdata, archive)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(pause_s):
            while markers.adoption(world.settings.pgdata, archive) == before:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_EVERY_S):
                        await world.reopen.wait()
                        return
