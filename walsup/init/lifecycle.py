"""The phases of the container, from the lock of the data directory to the end of postgres.

This module decides what follows from a message, a signal or the end of a child, and what is due at
which time.
"""

import signal
import time

from walsup import log
from walsup.errors import ArchiveError
from walsup.init import deadline_enforcer, postgres_end
from walsup.init.children.postmaster import Postmaster, StopLadder
from walsup.init.children.prepare_process import ABANDON_AFTER_S
from walsup.init.ending import Ending, Reason
from walsup.init.services import Services
from walsup.init.state_file import StateFile, write_termination
from walsup.pid1_messages import (
    Beat,
    ExplainExit,
    ExtendLease,
    Progress,
    Refusal,
    Reload,
    RequestStop,
    SetDaemon,
    StartAgent,
    StartPostgres,
    Verdict,
)
from walsup.system import stop_grace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal, assert_never

    from walsup.init.early_settings import EarlySettings
    from walsup.init.start import Start
    from walsup.pid1_messages import FromAgent, FromPrepare

    Phase = Literal["claiming", "preparing", "running", "stopping", "sweeping"]

# What prepare waits for: its class, the problem, the remedy.
_WAIT_FIELDS = ("waits_kind", "waits_problem", "waits_remedy")
_SHORT_PAUSE_S = 0.1
_CRASH_SWEEP_S = 5.0


class Lifecycle:
    """What has happened so far, until `is_over`; then `ending` holds its meaning."""

    def __init__(self, settings: "EarlySettings", start: "Start", silence_s: float) -> None:
        self._settings = settings
        self._start = start
        self._phase: Phase = "claiming"
        self._detail = ""
        self._waits_for: tuple[str, ...] = ()
        self._boot = ""  # of a run with an archive
        self._reloads = 0
        self._stop_s: float | None = None
        self._sweep_until_s = 0.0
        self._ladder = StopLadder(settings.stop_grace_s)
        self._write_deadline = deadline_enforcer.DeadlineEnforcer(settings.run_dir)
        self._postmaster = Postmaster(settings.pgdata)
        self.services = Services(silence_s)
        self.state_file = StateFile(settings.run_dir)
        self.ending = Ending()
        self.is_over = False

    @property
    def has_postgres(self) -> bool:
        """Return whether postgres runs."""
        return self._postmaster.pid != 0

    # --- what happens -----------------------------------------------------------------------

    def stop(self, number: int) -> None:
        """Begin to stop. A second call changes nothing."""
        if self._stop_s is None:
            self._stop_s = time.monotonic()
            self.ending.stop_asked = True
            log.info("stop.asked", phase=self._phase, grace_s=self._ladder.grace_s)
            if self._phase == "claiming":
                self.is_over = True
            self._start.process.stop()
            if self._phase != "sweeping":
                self._phase = "stopping"
        self._postmaster.stop(number)

    def reload(self) -> None:
        """Reload postgres, and count it."""
        log.info("reload.asked")
        self._reloads += 1
        self._postmaster.reload()

    def listen(self) -> None:
        """Act on the messages that have arrived since the last call."""
        for said in self._start.process.messages():
            self._hear_prepare(said)
        for message in self.services.agent.messages():
            self._hear_agent(message)

    def _hear_prepare(self, message: "FromPrepare") -> None:
        match message:
            case StartAgent():
                self.ending.awaits_verdict |= message.awaits_verdict
                self.services.agent.want(message.launch, message.generation, message.after_s)
            case StartPostgres():
                self.ending.awaits_verdict |= message.awaits_verdict
                self._start_postgres(message)
            case SetDaemon():
                self.services.set_daemon(message)
            case Refusal():
                self._start.process.refusal = Reason(message.text, message.exit_code)
            case Progress():
                self._detail, self._waits_for = message.detail, message.fault
            case _:
                if TYPE_CHECKING:
                    assert_never(message)

    def _hear_agent(self, message: "FromAgent") -> None:
        match message:
            case Beat():
                pass  # its arrival is all that it reports
            case SetDaemon():
                self.services.set_daemon(message)
            case ExtendLease():
                self.services.extend_lease(message.until_s)
            case Reload():
                self._postmaster.reload()
            case ExplainExit(text=text, exit_code=code):
                self.ending.explanation = Reason(text, code) if text else None
            case RequestStop(text=text, exit_code=code):
                self.ending.requested = Reason(text, code)
                self.stop(signal.SIGINT)
            case Verdict():
                self.ending.verdict = message.text
            case _:
                if TYPE_CHECKING:
                    assert_never(message)

    def _start_postgres(self, message: StartPostgres) -> None:
        if self._stop_s is not None:
            return
        self._boot = message.boot
        if not self.ending.awaits_verdict and not self._settings.grace_is_set:
            # Without a verdict, postgres has all the time until it is killed from outside.
            grace_s = max(self._ladder.grace_s, stop_grace.IN_KUBERNETES_S)
            self._ladder = StopLadder(grace_s)
        self._postmaster.start(message.launch, self._start.lock)
        self._phase, self._detail, self._waits_for = "running", "", ()

    def ended(self, pid: int, code: int) -> None:
        """Act on the end of a child."""
        if pid == self._start.process.pid:
            self.listen()
            self._start.process.ended(code)
            self._prepared(code)
        elif pid == self._postmaster.pid:
            self._postgres_ended(code)
        else:
            self.services.ended(pid, code)

    def _prepared(self, code: int) -> None:
        if self._postmaster.started or self.is_over:
            return
        if self._stop_s is not None:
            self.is_over = True
        elif not self._start.goes_on(code, self.services.log):
            log.error("prepare.failed", exit_code=code)
            self.ending.refusal = self._start.process.refusal
            self.is_over = True

    def _postgres_ended(self, code: int) -> None:
        ended = self.ending.postgres = self._postmaster.ended(code)
        log.info("postgres.ended", exit_code=code, asked=self._stop_s is not None)
        if ended.clean and self._boot:
            postgres_end.note(self._settings.pgdata, self._boot)
        if self._postmaster.failed and (full := postgres_end.full_disk(self._settings.pgdata)):
            log.error("disk.full", problem=full.problem, hint=full.hint)
            self.ending.disk_full = Reason(str(full), full.exit_code)
        if self._stop_s is not None and not self._write_deadline.reached:
            self._sweep_until_s = self._stop_s + self._ladder.verdict_s
        else:
            sweep_s = min(_CRASH_SWEEP_S, self._ladder.verdict_s)
            self._sweep_until_s = time.monotonic() + sweep_s
        self._phase = "sweeping"

    # --- what is due ------------------------------------------------------------------------

    def act(self, now_s: float) -> None:
        """Do what is due."""
        if self._phase == "claiming" and not self.is_over:
            self._claim(now_s)
        if self._postmaster.pid:
            self._heed_deadline(now_s)
        if self._stop_s is not None:
            self._climb(now_s - self._stop_s)
        if self._phase == "sweeping":
            awaits = self.ending.awaits_verdict and not self.ending.verdict
            self.is_over |= not awaits or now_s >= self._sweep_until_s
        if not self.is_over:
            self.services.start_due(now_s)

    def _claim(self, now_s: float) -> None:
        self._detail = self._start.claim(now_s, self.state_file)
        if self._detail:
            return
        # The message of an earlier run must not be read as this run's.
        write_termination(self._settings.termination_log, "")
        self._phase = "preparing"
        self._start.begin(self.services.log)

    def _heed_deadline(self, now_s: float) -> None:
        """End postgres when its lease is over and another instance may have been promoted."""
        number = self._write_deadline.due()
        if not number:
            if self._write_deadline.is_near():
                self.services.agent.kill_late(now_s)
            return
        if not self._write_deadline.reached:
            self._write_deadline.reached = True
            log.error("fence.reached", signal=signal.Signals(number).name)
            self.ending.requested = Reason(deadline_enforcer.REASON, ArchiveError.exit_code)
            self.stop(signal.SIGINT if number == signal.SIGINT else signal.SIGQUIT)
        if number == signal.SIGKILL:
            self._postmaster.kill_all()
        else:
            self._postmaster.stop(number)

    def _climb(self, elapsed_s: float) -> None:
        self._start.process.climb(elapsed_s)
        if self._postmaster.pid:
            self._postmaster.climb(self._ladder, elapsed_s)
            abandon_s = self._ladder.abandon_s
        else:
            abandon_s = ABANDON_AFTER_S
        # A process that survives KILL hangs in the kernel; the rest of the grace changes nothing.
        hanging = self._postmaster.pid or self._start.process.pid
        if elapsed_s > abandon_s and hanging and not self.is_over:
            log.error("stop.abandoned", pid=hanging)
            if self._postmaster.pid:
                self.ending.postgres = self._postmaster.end(None)
            self.is_over = True

    def pause(self) -> float:
        """Return the seconds until something is due: short while a stop is under way."""
        now_s = time.monotonic()
        pauses = [self.state_file.due_in(), self.services.due_in(now_s)]
        if self._phase == "claiming" or self._stop_s is not None:
            pauses.append(_SHORT_PAUSE_S)
        if self._postmaster.pid and self._write_deadline.read()[1]:
            pauses.append(deadline_enforcer.LOOK_EVERY_S)
        if self._phase == "sweeping":
            pauses.append(self._sweep_until_s - now_s)
        return max(0.0, min(pauses))

    def fields(self) -> "dict[str, object]":
        """Return the lines of the state file."""
        fields: dict[str, object] = {
            "phase": self._phase,
            "detail": self._detail,
            **self._postmaster.fields(),
            "reloads": self._reloads,
            **self.services.fields(),
        }
        if self._phase == "preparing":
            fields |= zip(_WAIT_FIELDS, self._waits_for, strict=False)
        if self._stop_s is not None or self._postmaster.done:
            deadline_s = self._sweep_until_s or (self._stop_s or 0) + self._ladder.verdict_s
            fields["stop_deadline_monotonic_s"] = f"{deadline_s:.3f}"
        return fields

    def kill(self) -> None:
        """End what is left; the log program stays."""
        self._start.process.kill()
        self.services.kill_writers()
