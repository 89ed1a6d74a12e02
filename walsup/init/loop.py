"""The loop of PID 1: wait for a signal, reap, read messages, act, write the state file."""

import os
import signal
import time

from walsup import log
from walsup.errors import InternalError, WalsupError
from walsup.init import child, claim, postgres
from walsup.kernel import hide_memory
from walsup.init.ladder import Ladder, exit_code
from walsup.init.service import Service
from walsup.init.statefile import TOUCH_S, StateFile, write_termination
from walsup.init.wire import Wire, send

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from walsup.init.basics import Basics

    Send = Callable[[dict[str, object]], None]
    Prepare = Callable[[list[str], int, Send], int]

AGENT_SILENCE_S = 30.0
# "The state file has changed": ignored by default, so it cannot end an agent that is starting.
NUDGE = signal.SIGURG
_PREPARE_STOP_S = 2.0
_CRASH_SWEEP_S = 5.0
_LAST_REAP_S = 1.0


class Init:
    """PID 1's whole memory. `run` gives the exit code of the container."""

    def __init__(self, basics: "Basics", arguments: "list[str]", prepare: "Prepare") -> None:
        self.basics = basics
        self.prepare = prepare
        self.arguments = arguments
        self.phase = "claiming"
        self.detail = ""
        self.began_s = time.monotonic()
        self.lock = -1
        self.prepare_pid = 0
        self.prepare_wire = Wire()
        self.database = postgres.Database(basics.pgdata)
        self.agent = Service("agent")
        self.agent_wire = Wire()
        self.agent_heard_s = 0.0
        self.daemons: dict[str, Service] = {}
        self.awaits_verdict = False
        self.verdict = ""
        self.refusal = ""
        self.refusal_code = 0
        self.reloads = 0
        self.stop_s: float | None = None
        self.sweep_until_s = 0.0
        self.ladder = Ladder(basics.stop_grace_s)
        self.code: int | None = None
        self.statefile = StateFile(basics.run_dir)

    def run(self) -> int:
        """Go through all phases; every way out passes the last word."""
        try:
            claim.make_directories(self.basics.pgdata, self.basics.run_dir)
            self.lock = claim.open_data_directory(self.basics.pgdata)
            while self.code is None:
                self._step()
        except WalsupError as refusal:
            self.refuse(refusal)
        self._finish()
        return self.code or 0

    def _step(self) -> None:
        self._reap()
        self._read()
        self._act(time.monotonic())
        if self.code is None:
            if self.statefile.write(self.fields()):
                self.agent.signal(NUDGE)
            if number := _wait(self._pause()):
                self._heed(number)

    # --- what happens to us -----------------------------------------------------------------

    def _heed(self, number: int) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            self._stop(signal.SIGINT)
        elif number == signal.SIGQUIT:
            self._stop(signal.SIGQUIT)
        elif number == signal.SIGHUP:
            log.info("reload.asked")
            self.reloads += 1
            self.database.signal(signal.SIGHUP)

    def _stop(self, number: int) -> None:
        if self.stop_s is None:
            self.stop_s = time.monotonic()
            log.info("stop.asked", phase=self.phase, grace_s=self.basics.stop_grace_s)
            if self.phase in ("claiming", "preparing"):
                self.code = None if self.prepare_pid else 0
                if self.prepare_pid:
                    os.kill(self.prepare_pid, signal.SIGTERM)
            if self.phase != "sweeping":
                self.phase = "stopping"
        self.database.stop(number)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._ended(pid, child.meaning(status))

    def _ended(self, pid: int, code: int) -> None:
        if pid == self.prepare_pid:
            self._read()
            self.prepare_pid = 0
            self.prepare_wire.close()
            self._prepared(code)
        elif pid == self.database.pid:
            self._postgres_ended(code)
        else:
            for service in (self.agent, *self.daemons.values()):
                if pid == service.pid:
                    service.ended(code)

    def _prepared(self, code: int) -> None:
        if self.database.started:
            return
        if self.stop_s is not None:
            self.code = 0
        elif self.refusal:
            self.code = self.refusal_code
        else:
            self.refusal = f"preparing the data directory ended with exit code {code}"
            log.error("prepare.failed", exit_code=code)
            self.code = code if code > 128 else InternalError.exit_code  # noqa: PLR2004 (128+n)

    def _postgres_ended(self, code: int) -> None:
        asked = self.stop_s is not None
        self.database.ended(code)
        log.info("postgres.ended", exit_code=code, asked=asked)
        now_s = time.monotonic()
        if self.stop_s is not None:
            self.sweep_until_s = self.stop_s + self.ladder.verdict_s
        else:
            self.sweep_until_s = now_s + min(_CRASH_SWEEP_S, self.ladder.verdict_s)
        self.phase = "sweeping"

    def _read(self) -> None:
        for message in self.prepare_wire.messages():
            self._hear_prepare(message)
        for message in self.agent_wire.messages():
            self.agent_heard_s = time.monotonic()
            self._hear_agent(message)

    def _hear_prepare(self, message: "dict[str, object]") -> None:
        if message.get("launch") == "agent":
            self.awaits_verdict = bool(message.get("verdict"))
            self.agent.want(child.Launch.from_message(message), 1)
        elif message.get("launch") == "postgres":
            if self.stop_s is None:
                self.database.start(child.Launch.from_message(message), self.lock)
                self.phase, self.detail = "running", ""
        elif "refused" in message:
            self.refusal = str(message["refused"])
            self.refusal_code = int(str(message["code"]))
        else:
            self.detail = str(message.get("detail", ""))

    def _hear_agent(self, message: "dict[str, object]") -> None:
        if "daemon" in message:
            name = str(message["daemon"])
            service = self.daemons.setdefault(name, Service(name))
            generation = int(str(message.get("generation", 0)))
            service.want(child.Launch.from_message(message) if generation else None, generation)
        elif "reload" in message:
            self.database.signal(signal.SIGHUP)
        elif "verdict" in message:
            self.verdict = str(message["verdict"])

    # --- what is due ------------------------------------------------------------------------

    def _act(self, now_s: float) -> None:
        if self.phase == "claiming" and self.code is None:
            self._claim(now_s)
        if self.stop_s is not None:
            self._climb(now_s - self.stop_s)
        if self.phase == "sweeping" and (
            self.verdict or not self.awaits_verdict or now_s >= self.sweep_until_s
        ):
            self.code = self._exit_code()
            return
        for service in self.daemons.values():
            if service.due_in(now_s) == 0:
                service.start()
        if self.agent.pid and now_s - self.agent_heard_s > AGENT_SILENCE_S:
            log.warning("agent.hung", silent_s=AGENT_SILENCE_S)
            self.agent_heard_s = now_s
            self.agent.kill()
        if self.agent.due_in(now_s) == 0:
            # A new pipe for each life: half a line of the dead one must not meet the next.
            self.agent_wire.close()
            self.agent_wire = Wire()
            writer = self.agent_wire.writer
            self.agent.start(inherit=(writer,), WALSUP_WIRE=str(writer))
            self.agent_wire.close_writer()
            self.agent_heard_s = now_s

    def _claim(self, now_s: float) -> None:
        if not claim.try_lock(self.lock):
            if now_s - self.began_s > claim.LOCK_PATIENCE_S:
                raise claim.locked_error(self.basics.pgdata)
            self.detail = "waiting for another process to let go of the data directory"
            return
        claim.take_over(self.basics.pgdata)
        hide_memory()
        claim.clear_stale_pid(self.basics.pgdata)
        self.phase, self.detail = "preparing", ""
        self.prepare_pid = child.fork_into(self._prepare)
        self.prepare_wire.close_writer()

    def _prepare(self) -> int:
        writer = self.prepare_wire.writer
        return self.prepare(self.arguments, self.lock, lambda message: send(writer, message))

    def _climb(self, elapsed_s: float) -> None:
        if self.prepare_pid and elapsed_s > min(_PREPARE_STOP_S, self.ladder.quit_s):
            os.kill(self.prepare_pid, signal.SIGKILL)
        if self.database.pid:
            self.database.climb(self.ladder, elapsed_s)

    def _pause(self) -> float:
        """Give the seconds until something is due: short while a stop is under way."""
        now_s = time.monotonic()
        pauses = [TOUCH_S]
        if self.phase == "claiming" or self.stop_s is not None:
            pauses.append(0.1)
        if self.phase == "sweeping":
            pauses.append(max(0.0, self.sweep_until_s - now_s))
        for service in (self.agent, *self.daemons.values()):
            if (due_in := service.due_in(now_s)) is not None:
                pauses.append(due_in)
        return min(pauses)

    # --- the last word ----------------------------------------------------------------------

    def refuse(self, refusal: WalsupError) -> None:
        """Take a refusal as the end."""
        log.error("start.refused", problem=refusal.problem, hint=refusal.hint)
        self.refusal, self.code = str(refusal), refusal.exit_code

    def _exit_code(self) -> int:
        if self.stop_s is None:
            return self.database.code
        return exit_code(self.database.code, self.database.sent, clean=self.database.clean)

    def _finish(self) -> None:
        if self.prepare_pid:
            os.kill(self.prepare_pid, signal.SIGKILL)
        for service in (self.agent, *self.daemons.values()):
            service.generation = 0
            service.kill()
        deadline_s = time.monotonic() + _LAST_REAP_S
        while time.monotonic() < deadline_s and any(
            service.pid for service in (self.agent, *self.daemons.values())
        ):
            _wait(0.02)
            self._reap()
        if self.database.started and self.awaits_verdict and not self.verdict:
            self.verdict = "everything before the shutdown checkpoint is in the bucket: not proven"
        self.phase = "ended"
        self.detail = self.refusal or self.verdict
        self.statefile.write(self.fields() | {"exit_code": self.code})
        if self.detail:
            write_termination(self.basics.termination_log, self.detail + "\n")
        log.info("container.ended", exit_code=self.code, verdict=self.verdict)

    def fields(self) -> "dict[str, object]":
        """Give what the state file says."""
        fields: dict[str, object] = {
            "phase": self.phase,
            "detail": self.detail,
            "postgres_pid": self.database.pid or "",
            "postgres_exit_code": self.database.code if self.database.done else "",
            "postgres_clean": int(self.database.clean),
            "reloads": self.reloads,
            "agent_pid": self.agent.pid or "",
            "agent_restarts": self.agent.restarts,
        }
        for name, service in self.daemons.items():
            fields[f"{name}_pid"] = service.pid or ""
            fields[f"{name}_generation"] = service.running_generation
            fields[f"{name}_restarts"] = service.restarts
        if self.stop_s is not None or self.database.done:
            ends_s = self.sweep_until_s or (self.stop_s or 0) + self.ladder.verdict_s
            fields["stop_deadline_monotonic_s"] = f"{ends_s:.3f}"
        return fields


def _wait(pause_s: float) -> int:
    """Give the number of the next signal, 0 when none came in time."""
    found = signal.sigtimedwait(signal.valid_signals(), pause_s)
    return found.si_signo if found else 0
