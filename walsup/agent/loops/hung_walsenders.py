"""Ends hung walsenders that a stop of postgres waits for."""

import asyncio
import time

from walsup import log
from walsup.agent.context import AgentContext
from walsup.errors import WalsupError
from walsup.postgres import pg_control
from walsup.postgres.pg_control import DBState
from walsup.postgres.processes.walsenders import Child, children, end, resume, waited_for

_LOOK_EVERY_S = 0.25
_AGAIN_EVERY_S = 0.5
# Of the grace: the rest is for the checkpoint and for WAL that is not archived yet.
_PATIENCE_PART = 8
_LONGEST_PATIENCE_S = 10.0
_ASKED_BEFORE_NEXT = 2


async def walsenders(context: AgentContext) -> None:
    """End walsenders for which the shutdown checkpoint, or afterwards the end, waits.

    Any child that a signal has stopped is resumed: postgres has asked it to end.
    """
    await context.signals.stopping.wait()
    patience_s = min(_LONGEST_PATIENCE_S, context.settings.stop_grace_s / _PATIENCE_PART)
    waited_before: list[Child] = []
    began_s, since_s, rounds = time.monotonic(), time.monotonic(), 0
    while pid := context.pid1.read().postgres_pid:
        processes = await asyncio.to_thread(children, pid)
        waited = await asyncio.to_thread(_waited_for, context, processes)
        if time.monotonic() - began_s >= patience_s:
            _resume(processes)
        if (
            not rounds and waited != waited_before
        ):  # a walsender that sends shows its position in its title
            since_s = time.monotonic()
        waited_before = waited
        if not waited:
            rounds = 0
        elif rounds or time.monotonic() - since_s >= patience_s:
            _end(waited[: 1 + rounds // _ASKED_BEFORE_NEXT], first=not rounds)
            rounds += 1
        await asyncio.sleep(_AGAIN_EVERY_S if rounds else _LOOK_EVERY_S)


def _end(hung: list[Child], *, first: bool) -> None:
    if first:
        log.warning("walsender.ended", title=hung[0].title, problem="its client reads nothing")
    for child in hung:
        end(child)


def _resume(processes: list[Child]) -> None:
    """Resume children that a signal has stopped, so that they can end."""
    for child in processes:
        if child.stopped:
            log.warning("process.resumed", pid=child.pid, title=child.title)
            resume(child)


def _waited_for(context: AgentContext, processes: list[Child]) -> list[Child]:
    """Return the walsenders that postgres waits for, none while it writes the checkpoint."""
    try:
        if pg_control.read(context.settings.pgdata).state is DBState.SHUTTING_DOWN:
            return []
    except WalsupError:
        return []
    return waited_for(processes)
