"""Reports processes of postgres that a signal has stopped: they do nothing and log nothing."""

import asyncio

from walsup.agent.context import AgentContext
from walsup.agent.subject import Subject
from walsup.archive.faults import Fault, FaultKind
from walsup.postgres.processes.stopped import Process, Processes

_EVERY_S = 1.5


async def processes(context: AgentContext) -> None:
    """Look every 1.5 s; a process that is stopped twice is a fault: a debugger stops it shorter."""
    watch, before = Processes(), set[Process]()
    while not context.signals.stopping.is_set():
        stopped_now = await asyncio.to_thread(
            watch.stopped, context.board.snapshot.init.postgres_pid
        )
        if stopped := [each for each in stopped_now if each in before]:
            context.board.fault(Subject.PROCESSES, _fault(stopped))
        else:
            context.board.clear(Subject.PROCESSES)
        before = set(stopped_now)
        await asyncio.sleep(_EVERY_S)


def _fault(stopped: list[Process]) -> Fault:
    names = ", ".join(f"{each.name} (pid {each.pid})" for each in stopped)
    pids = " ".join(str(each.pid) for each in stopped)
    return Fault(
        kind=FaultKind.PROCESS_STOPPED,
        problem=f"a signal has stopped postgres's {names}",
        remedy=f"find out what stopped it, and let it continue: kill -CONT {pids} (walsup signals"
        " only what it has started itself)",
    )
