"""The loop of PID 1: wait for a signal, reap, read messages, act, write the state file."""

import os
import signal
import time

from walsup import log
from walsup.errors import ArchiveError, InternalError, WalsupError
from walsup.init import (
    data_directory,
    directory_users,
    disk_full,
    early_secret_files,
    fence_deadline,
    messages,
    postgres_end,
    report,
    spawn,
)
from walsup.init.agent_service import Agent
from walsup.init.log_pipe import LogPump
from walsup.init.postmaster import Database
from walsup.init.prepare_process import ABANDON_AFTER_S, Preparation
from walsup.init.service import Service
from walsup.init.state_file import StateFile, write_termination
from walsup.init.stop_ladder import Ladder
from walsup.system.prctl import hide_memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from walsup.init.early_settings import Basics
    from walsup.init.prepare_process import Prepare

# "The state file has changed": ignored by default, so it cannot end an agent that is starting.
NUDGE = signal.SIGURG
_SHORT_PAUSE_S = 0.1
_CRASH_SWEEP_S = 5.0
_LAST_REAP_S = 1.0
_AFTER_A_BUG_S = 0.5


class Init:
    """PID 1's whole memory. `run` gives the exit code of the container."""

    def __init__(
        self, basics: "Basics", arguments: "list[str]", prepare: "Prepare", silence_s: float
    ) -> None:
        self.basics = basics
        self.prepare = prepare
        self.arguments = arguments
        self.phase = "claiming"
        self.detail = ""
        self.waits: tuple[str, ...] = ()
        self.began_s = time.monotonic()
        self.lock = -1
        self.preparation = Preparation()
        self.examine: Prepare | None = None
        self.examines = False
        self.database = Database(basics.pgdata)
        self.agent = Agent(silence_s)
        self.daemons: dict[str, Service] = {}
        self.log = LogPump()
        self.awaits_verdict = False
        self.verdict = ""
        self.refusal = ""
        self.boot = ""  # of a run with an archive
        self.full = False
        self.doom = 0
        self.ends = 0
        self.reloads = 0
        self.stop_s: float | None = None
        self.sweep_until_s = 0.0
        self.ladder = Ladder(basics.stop_grace_s)
        self.code: int | None = None
        self.statefile = StateFile(basics.run_dir)
        self.fence = fence_deadline.Fence(basics.run_dir)

    def run(self) -> int:
        """Go through all phases; every way out passes the last word."""
        try:
            data_directory.make_directories(self.basics.pgdata, self.basics.run_dir)
            self.lock = data_directory.open_data_directory(self.basics.pgdata)
            while self.code is None:
                self._turn()
        except WalsupError as refusal:
            log.error("start.refused", problem=refusal.problem, hint=refusal.hint)
            self.refusal, self.code = str(refusal), refusal.exit_code
        try:
            self._finish()
        except Exception as bug:  # noqa: BLE001 (the exit code is known already)
            log.unexpected("init.failed", bug)
        return self.code or 0

    def _turn(self) -> None:
        """Do one step; a bug, or a kernel without room, must not take a running postgres along."""
        try:
            self._step()
        except WalsupError:
            raise
        except Exception as bug:
            log.unexpected("init.failed", bug)
            if not self.database.pid:
                raise InternalError(
                    f"{type(bug).__name__}: {bug}",
                    hint="report this, unless memory, processes or files ran out",
                ) from bug
            time.sleep(_AFTER_A_BUG_S)

    def _step(self) -> None:
        self._reap()
        messages.listen(self)
        self._act(time.monotonic())
        if self.code is None:
            if self.statefile.write(report.fields(self)):
                self.agent.signal(NUDGE)
            if number := _wait(self._pause()):
                self._heed(number)

    # --- what happens to us -----------------------------------------------------------------

    def _heed(self, number: int) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            self.stop(signal.SIGINT)
        elif number == signal.SIGQUIT:
            self.stop(signal.SIGQUIT)
        elif number == signal.SIGHUP:
            log.info("reload.asked")
            self.reloads += 1
            self.database.reload()

    def stop(self, number: int) -> None:
        """Begin to stop; a second one changes nothing."""
        if self.stop_s is None:
            self.stop_s = time.monotonic()
            log.info("stop.asked", phase=self.phase, grace_s=self.basics.stop_grace_s)
            if self.phase == "claiming":
                self.code = 0
            self.preparation.stop()
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
            self._ended(pid, spawn.meaning(status))

    def _ended(self, pid: int, code: int) -> None:
        if pid == self.preparation.pid:
            messages.listen(self)
            self.preparation.ended(code)
            self._prepared(code)
        elif pid == self.database.pid:
            self._postgres_ended(code)
        else:
            for service in (self.log, self.agent, *self.daemons.values()):
                if pid == service.pid:
                    service.ended(code)

    def _prepared(self, code: int) -> None:
        if self.database.started:
            return
        if self.stop_s is not None:
            self.code = 0
        elif self.examines and not code:
            self.examines, self.preparation = False, Preparation()
            self._take_over()
        else:
            log.error("prepare.failed", exit_code=code)
            self.refusal, self.code = self.preparation.refusal, self.preparation.code

    def _postgres_ended(self, code: int) -> None:
        self.database.ended(code)
        log.info("postgres.ended", exit_code=code, asked=self.stop_s is not None)
        if self.database.clean and self.boot:
            postgres_end.note(self.basics.pgdata, self.boot)
        if self.database.failed and (full := disk_full.full(self.basics.pgdata)):
            log.error("disk.full", problem=full.problem, hint=full.hint)
            self.refusal, self.full = str(full), True
        if self.stop_s is not None and not self.fence.reached:
            self.sweep_until_s = self.stop_s + self.ladder.verdict_s
        else:
            self.sweep_until_s = time.monotonic() + min(_CRASH_SWEEP_S, self.ladder.verdict_s)
        self.phase = "sweeping"

    # --- what is due ------------------------------------------------------------------------

    def _act(self, now_s: float) -> None:
        if self.phase == "claiming" and self.code is None:
            self._claim(now_s)
        if self.database.pid:
            self._heed_fence(now_s)
        if self.stop_s is not None:
            self._climb(now_s - self.stop_s)
        if self.phase == "sweeping" and (
            self.verdict or not self.awaits_verdict or now_s >= self.sweep_until_s
        ):
            self.code = report.exit_code(self)
        if self.code is None:
            self._start_due(now_s)

    def _start_due(self, now_s: float) -> None:
        self.log.tend(now_s)
        for service in self.daemons.values():
            if service.end_overdue():
                self.agent.kill_silent(now_s)
            if service.due_in(now_s) == 0:
                service.start()
        self.agent.kill_hung(now_s)
        if self.agent.due_in(now_s) == 0:
            self.agent.begin()

    def _claim(self, now_s: float) -> None:
        if not data_directory.try_lock(self.lock):
            if now_s - self.began_s > data_directory.LOCK_PATIENCE_S:
                raise data_directory.locked_error(self.basics.pgdata, self.lock)
            self.detail = "waiting for another process to let go of the data directory"
            return
        if not self.statefile.is_ours():
            raise data_directory.run_dir_error(self.basics.run_dir)
        # The last word of an earlier run must not be taken for this one's.
        write_termination(self.basics.termination_log, "")
        self.phase, self.detail = "preparing", ""
        if self.examine and data_directory.is_anothers(self.basics.pgdata):
            self.examines = True
            self.preparation.start(self.examine, self.arguments, self.lock)
        else:
            self._take_over()

    def _take_over(self) -> None:
        given = early_secret_files.Handed()
        given.read()
        data_directory.take_over(self.basics.pgdata, self.basics.waldir)
        hide_memory()  # the change of uid has set it anew
        given.keep(self.basics.run_dir)
        directory_users.clear_stale_pid(self.basics.pgdata)
        self.log.open()
        self.preparation.start(self.prepare, self.arguments, self.lock)

    def _heed_fence(self, now_s: float) -> None:
        """End postgres when its lease is over and another may have been promoted."""
        number = self.fence.due()
        if not number:
            if self.fence.is_near():
                self.agent.kill_late(now_s)
            return
        if not self.fence.reached:
            self.fence.reached = True
            log.error("fence.reached", signal=signal.Signals(number).name)
            self.refusal, self.ends = fence_deadline.WORDS, ArchiveError.exit_code
            self.stop(signal.SIGINT if number == signal.SIGINT else signal.SIGQUIT)
        if number == signal.SIGKILL:
            fence_deadline.kill_all(self.database)
        else:
            self.database.stop(number)

    def _climb(self, elapsed_s: float) -> None:
        self.preparation.climb(elapsed_s)
        if self.database.pid:
            self.database.climb(self.ladder, elapsed_s)
            abandon_s = self.ladder.abandon_s
        else:
            abandon_s = ABANDON_AFTER_S
        # Who ignores KILL hangs in the kernel (S29); the rest of the grace cannot change it.
        if elapsed_s > abandon_s and (self.database.pid or self.preparation.pid):
            log.error("stop.abandoned", pid=self.database.pid or self.preparation.pid)
            self.code = report.exit_code(self)

    def _pause(self) -> float:
        """Give the seconds until something is due: short while a stop is under way."""
        now_s = time.monotonic()
        pauses = [self.statefile.due_in(), self.agent.silent_in(now_s)]
        if self.phase == "claiming" or self.stop_s is not None:
            pauses.append(_SHORT_PAUSE_S)
        if self.database.pid and self.fence.read()[1]:
            pauses.append(fence_deadline.LOOK_EVERY_S)
        if self.phase == "sweeping":
            pauses.append(self.sweep_until_s - now_s)
        if self.agent.has_more_to_say:
            pauses.append(0.0)
        services = (self.log, self.agent, *self.daemons.values())
        starts = (service.due_in(now_s) for service in services)
        pauses.extend(due_in for due_in in starts if due_in is not None)
        pauses.extend(service.left_s() for service in self.daemons.values())
        return max(0.0, min(pauses))

    # --- the end ----------------------------------------------------------------------------

    def _finish(self) -> None:
        """End what is left (agent and daemons come last), and say the last word."""
        self.preparation.kill()
        services = (self.agent, *self.daemons.values())
        for service in services:
            service.generation = 0
            service.kill()
        deadline_s = time.monotonic() + _LAST_REAP_S
        while any(service.pid for service in services) and time.monotonic() < deadline_s:
            _wait(0.02)
            self._reap()
        report.say(self)
        self.log.end()


def _wait(pause_s: float) -> int:
    """Give the number of the next signal, 0 when none came in time."""
    found = signal.sigtimedwait(signal.valid_signals(), pause_s)
    return found.si_signo if found else 0
