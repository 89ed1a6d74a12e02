"""Keeps archiving moving while segments wait: four detectors look, and this loop acts.

The engine's daemon is asked only when nothing moves: a check makes WAL-G's daemon write two lines
of error.
"""

import asyncio
import time
from typing import assert_never

from walsup import log
from walsup.agent.archiving import engine_daemon
from walsup.agent.archiving.archiver_health import ArchiverHealth
from walsup.agent.archiving.failing_pushes import FailingPushes
from walsup.agent.archiving.missing_segment import examine
from walsup.agent.archiving.overdue_push import OverduePush
from walsup.agent.archiving.stall import Stall
from walsup.agent.archiving.watchdog_actions import (
    Action,
    ClearFault,
    Examine,
    ReplaceDaemon,
    ShowFault,
    Wake,
)
from walsup.agent.context import AgentContext
from walsup.agent.snapshot import Snapshot
from walsup.agent.states import GateState
from walsup.archive.engine import daemon_client
from walsup.archive.engine.adapter import push_timeout_s
from walsup.archive.faults import Fault
from walsup.postgres.processes import archiver

_EVERY_S = 0.25
_CHECK_TIMEOUT_S = 2.0


async def wake(context: AgentContext) -> None:
    """Look and act four times a second."""
    watchdog = _Watchdog(context)
    try:
        while not context.signals.stopping.is_set():
            await asyncio.sleep(_EVERY_S)
            await watchdog.turn(context.board.snapshot, time.monotonic())
    finally:
        watchdog.cancel_examination()


class _Watchdog:
    def __init__(self, context: AgentContext) -> None:
        self._context = context
        seen, now_s = context.board.snapshot, time.monotonic()
        self._stall = Stall(seen, now_s)
        self._health = ArchiverHealth(seen, now_s)
        self._pushes = OverduePush(
            push_timeout_s(context.settings.push_grace_s, context.settings.lease_s)
        )
        self._archiver_pid = 0
        self._failing = FailingPushes(seen, now_s)
        self._examination: asyncio.Task[Fault | None] | None = None
        self._cancelled = asyncio.Event()

    def cancel_examination(self) -> None:
        """End the agent's own push that may be running."""
        self._cancelled.set()

    async def turn(self, snapshot: Snapshot, now_s: float) -> None:
        """Look once, and do what is due."""
        if snapshot.gate.state == GateState.OPEN:
            engine_daemon.keep_configuration(self._context)
        else:
            self.cancel_examination()
        for action in self._look(snapshot, now_s):
            await self._act(action)

    def _look(self, snapshot: Snapshot, now_s: float) -> list[Action]:
        """Return the actions of the detectors, in this order."""
        process = None
        if snapshot.gate.state == GateState.OPEN and snapshot.init.postgres_pid:
            process = archiver.find(snapshot.init.postgres_pid, before_pid=self._archiver_pid)
        self._archiver_pid = process.pid if process else 0
        finding = None
        if self._examination is not None and self._examination.done():
            finding, self._examination = self._examination.result(), None
        asked_s, answered_in_s = self._context.session.asked_s, self._context.session.answered_in_s
        return [
            *self._health.step(snapshot, process, now_s),
            *self._pushes.step(snapshot, process, now_s),
            *self._stall.step(snapshot, now_s),
            *self._failing.step(
                snapshot,
                now_s,
                listing_s=max(now_s - (asked_s or now_s), answered_in_s),
                examining=self._examination is not None,
                finding=finding,
            ),
        ]

    async def _act(self, action: Action) -> None:
        context = self._context
        match action:
            case Wake():
                await self._wake(action)
            case ReplaceDaemon(reason):
                engine_daemon.replace(context, reason)
            case ShowFault(subject, fault):
                context.board.fault(subject, fault)
            case ClearFault(subject):
                context.board.clear(subject)
            case Examine(failing):
                self._cancelled = asyncio.Event()
                self._examination = asyncio.create_task(
                    examine(context, self._cancelled, failing=failing)
                )
            case _:
                assert_never(action)

    async def _wake(self, wake: Wake) -> None:
        hung = wake.has_daemon and not await daemon_client.answers(
            self._context.engine_socket, _CHECK_TIMEOUT_S
        )
        if hung and engine_daemon.replace(
            self._context, f"no answer within {_CHECK_TIMEOUT_S:g} s"
        ):
            return  # its new pid counts as an improvement
        if wake.reloads:
            log.info("archiver.woken", reason=wake.reason)
            self._context.pid1.reload()
