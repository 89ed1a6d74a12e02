"""Enables archiving once this instance owns the archive, and keeps it enabled by the lease."""

import asyncio
import contextlib

from walsup import units
from walsup.agent.archiving.archiving_start import ArchivingStart
from walsup.agent.archiving.lease_holder import hold, withdraw
from walsup.agent.archiving.promotion import until_primary
from walsup.agent.context import AgentContext
from walsup.agent.snapshot import Gate
from walsup.agent.standby.demotion import step_down
from walsup.agent.states import GateState
from walsup.agent.subject import Subject
from walsup.archive.engine.adapter import Engine
from walsup.archive.faults import Fault
from walsup.archive.storage.fault_mapping import classify
from walsup.datadir import markers, restore_state
from walsup.postgres.sql.connection import postmaster

_FIRST_RETRY_S = 0.5
_LONGEST_RETRY_S = 15.0
_LOOK_EVERY_S = 1.0


async def gate(context: AgentContext) -> None:
    """Enable archiving, keep it enabled, and claim again when the credentials have changed."""
    if context.session.bucket is None:
        await context.signals.stopping.wait()
        return
    failures = 0
    start = (
        ArchivingStart(context, context.session.engine)
        if isinstance(context.session.engine, Engine)
        else None
    )
    while True:
        fault = await _try_open(context, start)
        if fault is None and context.session.lease is not None:
            failures = 0
            context.board.clear(Subject.GATE)
            fault = await hold(context, context.session.lease)
        if fault is not None:
            failures += 1
            _shut(context, fault)
            await step_down(context, fault)
            longest_s = min(_LONGEST_RETRY_S, context.settings.lease_s)
            await _until_worth_trying(context, units.backoff(failures, _FIRST_RETRY_S, longest_s))
        context.signals.reopen.clear()


async def _try_open(context: AgentContext, start: ArchivingStart | None) -> Fault | None:
    if start is None or context.session.bucket is None:
        return context.session.engine if isinstance(context.session.engine, Fault) else None
    while not _running(context) and not context.signals.sweeping.is_set():  # noqa: ASYNC110 (files have no event)
        await asyncio.sleep(0.05)
    if restore_state.is_under_way(context.settings.pgdata):
        context.board.put(gate=Gate(state=GateState.SHUT, reason="a restore is under way"))
        while (  # noqa: ASYNC110 (as above)
            restore_state.is_under_way(context.settings.pgdata)
            and not context.signals.sweeping.is_set()
        ):
            await asyncio.sleep(0.05)
    await until_primary(context)
    context.session.rival = None
    try:
        return await start.open(context.session.bucket)
    except Exception as raised:  # noqa: BLE001 (whatever it is, archiving stays disabled)
        return classify(raised)


def _running(context: AgentContext) -> bool:
    pid = context.board.snapshot.init.postgres_pid
    return bool(pid) and postmaster(context.settings.pgdata) is not None


def _shut(context: AgentContext, fault: Fault) -> None:
    withdraw(context)
    context.board.fault(Subject.GATE, fault)
    context.board.put(gate=Gate(state=GateState.SHUT, reason=f"{fault.kind}: {fault.problem}"))


async def _until_worth_trying(context: AgentContext, pause_s: float) -> None:
    """Wait, but not after `walsup adopt` or new credentials."""
    archive = str(context.settings.archive)
    before = markers.adoption(context.settings.pgdata, archive)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(pause_s):
            while markers.adoption(context.settings.pgdata, archive) == before:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_EVERY_S):
                        await context.signals.reopen.wait()
                        return
