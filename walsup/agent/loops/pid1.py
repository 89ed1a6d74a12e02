"""Follows PID 1: reads its state file at each signal and every second, and sends the heartbeat."""

import asyncio

from walsup.agent.context import AgentContext
from walsup.agent.snapshot import Pid1State
from walsup.agent.subject import Subject
from walsup.archive.faults import Fault, FaultKind

_EVERY_S = 1.0


async def watch(context: AgentContext) -> None:
    """Show PID 1's state; request that secrets are read again after a reload."""
    reloads: int | None = None
    waited = False
    while True:
        state = context.pid1.read()
        context.board.put(init=state)
        waited = _show_wait(context, waited=waited)
        context.board.attend(Subject.LOG, _of_log(state))
        if state.stopping:
            context.signals.stopping.set()
        if state.phase == "sweeping":
            context.signals.sweeping.set()
        if reloads is not None and state.reloads != reloads:
            context.signals.asked_to_reread.set()
        reloads = state.reloads
        context.pid1.beat()
        context.pid1.nudged.clear()
        try:
            async with asyncio.timeout(_EVERY_S):
                await context.pid1.nudged.wait()
        except TimeoutError:
            continue


def _of_log(pid1: Pid1State) -> Fault | None:
    """Return the fault of a blocked container log; nothing else waits for the log."""
    if not pid1.log_stalls:
        return None
    # Without a growing number: each new text is logged, in this same log.
    problem = f"the container's log is blocked ({pid1.log_stalls}), and lines are dropped"
    return Fault(kind=FaultKind.LOG, problem=problem)


def _show_wait(context: AgentContext, *, waited: bool) -> bool:
    """Show why prepare waits for the archive, as a fault of the bucket; return whether it does.

    The bucket's own loop begins when prepare has ended.
    """
    if context.pid1.waits is not None:
        context.board.fault(Subject.BUCKET, context.pid1.waits)
    elif waited:
        context.board.clear(Subject.BUCKET)
    return context.pid1.waits is not None
