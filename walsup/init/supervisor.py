"""The loop of PID 1: wait for a signal, reap, read messages, act, write the state file."""

import os
import signal
import time

from walsup import log
from walsup.errors import InternalError, WalsupError
from walsup.init.children import spawn
from walsup.init.ending import Reason
from walsup.init.lifecycle import Lifecycle
from walsup.init.start import Start
from walsup.init.state_file import write_termination

TYPE_CHECKING = False
if TYPE_CHECKING:
    from walsup.init.children.prepare_process import Prepare
    from walsup.init.early_settings import EarlySettings

# "The state file has changed": ignored by default, so it cannot end an agent that is starting.
NUDGE = signal.SIGURG
_LAST_REAP_S = 1.0
_AFTER_A_BUG_S = 0.5


class Supervisor:
    """The only loop of PID 1. `run` returns the exit code of the container."""

    def __init__(
        self,
        settings: "EarlySettings",
        arguments: "list[str]",
        prepare: "Prepare",
        silence_s: float,
        *,
        examine: "Prepare | None" = None,
    ) -> None:
        self._termination_log = settings.termination_log
        self._start = Start(settings, arguments, prepare, examine)
        self._life = Lifecycle(settings, self._start, silence_s)

    def run(self) -> int:
        """Go through all phases; every way out writes the last state."""
        try:
            self._start.open_directories()
            while not self._life.is_over:
                self._turn()
        except WalsupError as refusal:
            log.error("start.refused", problem=refusal.problem, hint=refusal.hint)
            self._life.ending.refusal = Reason(str(refusal), refusal.exit_code)
            self._life.is_over = True
        try:
            self._finish()
        except Exception as bug:  # noqa: BLE001 (the exit code is known already)
            log.unexpected("init.failed", bug)
        return self._life.ending.exit_code

    def _turn(self) -> None:
        """Do one step. A bug, or a kernel out of memory, must not end a running postgres."""
        try:
            self._step()
        except WalsupError:
            raise
        except Exception as bug:
            log.unexpected("init.failed", bug)
            if not self._life.has_postgres:
                raise InternalError(
                    f"{type(bug).__name__}: {bug}",
                    hint="report this bug, unless memory, processes or file descriptors"
                    " have run out",
                ) from bug
            time.sleep(_AFTER_A_BUG_S)

    def _step(self) -> None:
        life = self._life
        self._reap()
        life.listen()
        life.act(time.monotonic())
        if not life.is_over:
            if life.state_file.write(life.fields()):
                life.services.agent.signal(NUDGE)
            if number := _wait(life.pause()):
                self._heed(number)

    def _heed(self, number: int) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            self._life.stop(signal.SIGINT)
        elif number == signal.SIGQUIT:
            self._life.stop(signal.SIGQUIT)
        elif number == signal.SIGHUP:
            self._life.reload()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._life.ended(pid, spawn.meaning(status))

    def _finish(self) -> None:
        """End what is left (agent and daemons come last), and write the last state."""
        life, ending = self._life, self._life.ending
        life.kill()
        deadline_s = time.monotonic() + _LAST_REAP_S
        while life.services.has_writers() and time.monotonic() < deadline_s:
            _wait(0.02)
            self._reap()
        life.state_file.write(life.fields() | ending.fields())
        if ending.message:
            write_termination(self._termination_log, ending.message + "\n")
        log.info("container.ended", exit_code=ending.exit_code, verdict=ending.verdict_at_end)
        life.services.log.end()


def _wait(pause_s: float) -> int:
    """Return the number of the next signal, 0 when none came in time."""
    received = signal.sigtimedwait(signal.valid_signals(), pause_s)
    return received.si_signo if received else 0
