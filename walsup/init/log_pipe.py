"""PID 1's side of the log: pipes as stdout and stderr of all processes, and their reader.

PID 1 keeps both ends of each pipe. While the log program is started again, what is written waits.
"""

# ruff: noqa: PTH118, PTH120 -- pathlib would cost PID 1 a megabyte

import fcntl
import mmap
import os
import select
import struct
import sys
import time

from walsup import log
from walsup.init.children.service import Service
from walsup.pid1_messages import Launch

_PIPE_BYTES = 1 << 20
_ENDS_WITHIN_S = 1.5
_LAST_PATIENCE_MS = 200
_RETRY_S = 0.1
_PAGE_BYTES = 4096  # for which a pipe that takes anything has room
_STANDARD = (1, 2)
_STDERR = 2
_PROGRAM = os.path.join(os.path.dirname(__file__), "log_program.py")
# The beginning of log_program.LAYOUT, which PID 1 does not import for its size.
_LAYOUT = struct.Struct("<QQQQ")
# The log program writes there once a second; PID 1 looks at least every 5 s, unless PID 1 stood
# still.
_SILENT_AFTER_S = 15.0
_LOOKS_WITHIN_S = 8.0


class LogService(Service):
    """The log program, which reads the pipes. It is started again when it dies."""

    __slots__ = ("_beat", "_beat_s", "_control", "_looked_s", "_page", "_routes", "_shared")

    def __init__(self) -> None:
        super().__init__("log")
        self._routes: list[int] = []
        self._control = -1
        self._shared = -1
        self._page: mmap.mmap | None = None
        self._beat = 0
        self._beat_s = self._looked_s = 0.0

    def open(self) -> None:
        """Replace stdout and stderr by pipes. Without free descriptors they stay.

        Call this as the database's user, which then owns the pipes: it may open /dev/stderr.
        """
        try:
            self._shared = os.memfd_create("walsup-log")
            os.ftruncate(self._shared, mmap.PAGESIZE)
            self._page = mmap.mmap(self._shared, mmap.PAGESIZE)
            same = os.path.sameopenfile(*_STANDARD)
            for standard in _STANDARD[1:] if same else _STANDARD:
                real = os.dup(standard)
                reader, writer = os.pipe2(os.O_CLOEXEC)
                self._routes += [reader, real]
                os.set_blocking(reader, False)
                _enlarge(writer)
                for place in _STANDARD if same else (standard,):
                    os.dup2(writer, place)
                if same or standard == _STDERR:
                    _write_without_waiting(writer)
                os.close(writer)
        except OSError as fault:
            log.warning("log.not_guarded", problem=str(fault.strerror))
        if self._routes:
            self.want(self._launched(()), 1)
            self.begin()

    def begin(self) -> None:
        """Start it with the descriptors that it needs."""
        self._let_go()
        try:
            ends, self._control = os.pipe2(os.O_CLOEXEC)
        except OSError as fault:
            self._fail(problem=f"not started: {fault.strerror}")
            return
        inherited = (ends, self._shared, *self._routes)
        self._launch = self._launched(inherited)
        self.start(inherit=inherited)
        os.close(ends)

    def _launched(self, inherited: "tuple[int, ...]") -> Launch:
        words = ["json" if log.is_json() else "text", *map(str, inherited)]
        return Launch([sys.executable, "-I", "-S", _PROGRAM, *words], {})

    def due_in(self, now_s: float) -> "float | None":
        """Return the seconds until it must be checked, None: no check is needed."""
        due_s = super().due_in(now_s)
        if not log.is_kept():
            return due_s
        return _RETRY_S if due_s is None else min(due_s, _RETRY_S)

    def tend(self, now_s: float) -> None:
        """Start it again when that is due, and write what PID 1 has kept."""
        log.flush()
        self.kill_silent(now_s)
        if self.due_in(now_s) == 0:
            self.begin()

    def kill_silent(self, now_s: float) -> None:
        """Kill it when it stands still, as a stopped process does: otherwise the pipes fill up."""
        if self._page is None:
            return
        *_, beat = _LAYOUT.unpack_from(self._page, 0)
        if beat != self._beat or not self.pid or now_s - self._looked_s > _LOOKS_WITHIN_S:
            self._beat, self._beat_s = beat, now_s
        self._looked_s = now_s
        if now_s - self._beat_s > _SILENT_AFTER_S:
            log.warning("log.silent", silent_s=round(now_s - self._beat_s, 1))
            self._beat_s = now_s
            self.kill()

    def fields(self) -> "dict[str, object]":
        """Return the lines of the state file about the log."""
        if self._page is None:
            return {}
        dropped, problem, stalls, _ = _LAYOUT.unpack_from(self._page, 0)
        why = os.strerror(problem) if problem else "it is not read"
        return {"log_dropped_lines": dropped, "log_stalls": why if stalls else ""}

    def end(self) -> None:
        """Flush everything that was logged until now, unless the log stands still."""
        if self.generation and not self.pid:
            self.begin()
        self.generation = 0
        self._let_go()
        deadline_s = time.monotonic() + _ENDS_WITHIN_S
        while self.pid and time.monotonic() < deadline_s:
            try:
                ended, _ = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                return
            if ended:
                break
            log.flush()
            time.sleep(0.005)
        else:
            self.kill()
        self._copy()
        log.flush()
        self._copy()

    def _copy(self) -> None:
        """Write what the log program has left, when it did not run or did not end."""
        for reader, real in zip(self._routes[::2], self._routes[1::2], strict=True):
            waiting = select.poll()
            waiting.register(real, select.POLLOUT)
            try:
                while waiting.poll(_LAST_PATIENCE_MS) and (left := os.read(reader, _PAGE_BYTES)):
                    os.write(real, left)
            except OSError:
                continue  # nothing is left, or the log is closed

    def _let_go(self) -> None:
        if self._control >= 0:
            os.close(self._control)
            self._control = -1


def _enlarge(writer: int) -> None:
    try:
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    except OSError:
        return  # the limit of this user's pipes is reached: the usual 64 KiB


def _write_without_waiting(writer: int) -> None:
    """Make PID 1 write its own lines without ever waiting for room in the pipe.

    It opens the pipe a second time: O_NONBLOCK on the shared descriptor would lose other processes'
    lines.
    """
    try:
        log.never_wait(os.open(f"/proc/self/fd/{writer}", os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return  # without /proc it looks for room before it writes


def hold_standard_descriptors() -> None:
    """Open what the runtime has closed: otherwise the next opened file would become the log."""
    for standard in (0, *_STANDARD):
        try:
            os.fstat(standard)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
