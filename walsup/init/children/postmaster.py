"""postgres as PID 1 sees it: a pid, the signals that it got, and its state in pg_control."""

# ruff: noqa: PTH118, PTH123 -- pathlib would cost PID 1 a megabyte

import os
import signal
import time

from walsup import log
from walsup.init.children import spawn
from walsup.init.ending import PostgresEnd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from walsup.pid1_messages import Launch

_STATE_OFFSET = 16
_SHUT_DOWN = (1, 2)  # DB_SHUTDOWNED, DB_SHUTDOWNED_IN_RECOVERY; Source: pg_control.h, 11 to 18
# postgres installs its handlers within milliseconds; another program may never.
_SETTLING_S = 1.0


CLEAN_WAIT_S = 2.0
KILL_AFTER_QUIT_S = 2.0
VERDICT_MARGIN_S = 0.5
_SWEEP_RESERVE_S = 8.0
_CHECKPOINT_S = 6.0
_ABANDON_AFTER_KILL_S = 1.0


class StopLadder:
    """The moments of one stop, in seconds after its beginning, for a grace in seconds.

    The time after QUIT belongs to the final push of pg_wal and the verdict. A process that still
    lives at `abandon_s` hangs in the kernel (a dead disk), and nothing more can be done.
    """

    __slots__ = ("abandon_s", "grace_s", "kill_s", "quit_s", "verdict_s")

    def __init__(self, grace_s: float) -> None:
        self.grace_s = grace_s
        # postgres gets most of a short grace: its shutdown checkpoint is worth more than a final
        # push.
        shortly_s = min(grace_s - KILL_AFTER_QUIT_S - VERDICT_MARGIN_S, _CHECKPOINT_S)
        self.quit_s = max(grace_s - _SWEEP_RESERVE_S, grace_s / 2, shortly_s)
        self.kill_s = self.quit_s + KILL_AFTER_QUIT_S
        self.abandon_s = self.kill_s + _ABANDON_AFTER_KILL_S
        self.verdict_s = grace_s - VERDICT_MARGIN_S

    def due(
        self, elapsed_s: float, clean_for_s: "float | None", walsenders: "Callable[[], bool]"
    ) -> int:
        """Return the signal that is due now (0: none yet). It repeats until it is sent once.

        `clean_for_s`: for how long pg_control has said "shut down", None while it does not. After
        that QUIT is harmless: exit 0 and no recovery at the next start.
        """
        if elapsed_s >= self.kill_s:
            return signal.SIGKILL
        if elapsed_s >= self.quit_s:
            return signal.SIGQUIT
        if clean_for_s is not None and clean_for_s >= CLEAN_WAIT_S and not walsenders():
            return signal.SIGQUIT
        return 0


class Postmaster:
    """The postmaster, or the program that the operator runs instead of it."""

    def __init__(self, pgdata: str) -> None:
        self._pg_control = os.path.join(pgdata, "global", "pg_control")
        self._clean_since_s: float | None = None
        self._started_s = 0.0
        self._owed = 0
        self.pid = 0
        self.started = False
        self.done = False
        self.code = 0
        self.sent = 0
        self.clean = False

    def start(self, launch: "Launch", lock: int) -> None:
        """Start it.

        It alone inherits the lock, so a backend that outlives it still holds the lock.
        """
        self.pid = spawn.spawn(launch, inherit=(lock,), orphan=True)
        self.started = True
        self._started_s = time.monotonic()
        log.info("postgres.started", pid=self.pid)

    def reload(self) -> None:
        """Send HUP, unless it would kill: before it has handlers, postgres has read no file yet."""
        if self.pid and self._catches(signal.SIGHUP):
            os.kill(self.pid, signal.SIGHUP)

    def stop(self, number: int) -> None:
        """Ask for a fast (INT) or immediate (QUIT) shutdown.

        A weaker or second request changes nothing.
        """
        strength = (0, signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)
        if self.pid and strength.index(number) > strength.index(self.sent):
            self.sent = self._owed = number
            self._deliver()

    def climb(self, ladder: StopLadder, elapsed_s: float) -> None:
        """Send the signal that the stop ladder asks for by now."""
        self._deliver()
        now_s = time.monotonic()
        if self.sent == signal.SIGINT and not self._owed:
            # Read each time: a start that was still under way leaves "shut down" in the file.
            self.clean = self._shut_down()
            if not self.clean:
                self._clean_since_s = None
            elif self._clean_since_s is None:
                self._clean_since_s = now_s
        clean_for_s = None if self._clean_since_s is None else now_s - self._clean_since_s
        if number := ladder.due(elapsed_s, clean_for_s, self._walsenders):
            self.stop(number)

    def ended(self, code: int) -> PostgresEnd:
        """Record its end, and return how it ended."""
        self.pid = 0
        self.code = code
        self.done = True
        # An end by itself (code 0) says "shut down" too. What counts is what it left on disk.
        if self.sent in (0, signal.SIGINT):
            self.clean = self._shut_down()
        return self.end(code)

    def end(self, code: "int | None") -> PostgresEnd:
        """Return how it ended with this exit code; None: it hangs, and PID 1 gives it up."""
        return PostgresEnd(code, self.sent, clean=self.clean)

    def fields(self) -> "dict[str, object]":
        """Return its lines of the state file."""
        return {
            "postgres_pid": self.pid or "",
            "postgres_exit_code": self.code if self.done else "",
            "postgres_clean": int(self.clean),
        }

    def kill_all(self) -> None:
        """Kill it and each of its processes: a backend outlives it by seconds."""
        children = self._children()
        self.stop(signal.SIGKILL)
        for pid in children:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue

    @property
    def failed(self) -> bool:
        """Return whether it ended by itself: an error code or an abort, not a kill."""
        aborted = 128 + signal.SIGABRT
        return self.sent in (0, signal.SIGINT) and (0 < self.code < 128 or self.code == aborted)  # noqa: PLR2004

    def _deliver(self) -> None:
        """Send the signal that is owed.

        INT waits until it is caught: it kills a postgres just begun.
        """
        settling = time.monotonic() - self._started_s < _SETTLING_S
        if not self._owed or (
            self._owed == signal.SIGINT and settling and not self._catches(signal.SIGINT)
        ):
            return
        name = signal.Signals(self._owed).name
        log.info("postgres.signalled", signal=name, clean=self.clean)
        os.kill(self.pid, self._owed)
        self._owed = 0

    def _catches(self, number: int) -> bool:
        try:
            with open(f"/proc/{self.pid}/status", encoding="ascii", errors="replace") as file:
                caught = next(line for line in file if line.startswith("SigCgt:"))
        except (OSError, StopIteration):
            return True  # no such /proc here: send it at once
        return bool(int(caught.split()[1], 16) >> (number - 1) & 1)

    def _shut_down(self) -> bool:
        try:
            with open(self._pg_control, "rb") as file:
                head = file.read(_STATE_OFFSET + 4)
        except OSError:
            return False
        return int.from_bytes(head[_STATE_OFFSET:], "little") in _SHUT_DOWN

    def _walsenders(self) -> bool:
        return any(map(_is_walsender, self._children()))

    def _children(self) -> "list[int]":
        try:
            with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as file:
                return [int(pid) for pid in file.read().split()]
        except (OSError, ValueError):
            return []


def _is_walsender(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return b"walsender " in file.read()
    except OSError:
        return False
