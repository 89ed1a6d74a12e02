"""The pipes over which prepare and the agent talk to PID 1: one JSON object a line.

The kernel sends SIGIO when something arrives (O_ASYNC), so PID 1's one wait for signals is
also its wait for messages.
"""

import fcntl
import json
import os

from walsup import log

_LONGEST_LINE_BYTES = 1 << 20


class Wire:
    """The reading end of a pipe, held by PID 1; `writer` goes to the child."""

    __slots__ = ("_buffer", "_reader", "writer")

    def __init__(self) -> None:
        self._reader, self.writer = os.pipe2(os.O_CLOEXEC)
        fcntl.fcntl(self._reader, fcntl.F_SETOWN, os.getpid())
        flags = fcntl.fcntl(self._reader, fcntl.F_GETFL)
        fcntl.fcntl(self._reader, fcntl.F_SETFL, flags | os.O_NONBLOCK | os.O_ASYNC)
        self._buffer = b""

    def close_writer(self) -> None:
        """Let go of the writing end, once the child has its own copy."""
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1

    def close(self) -> None:
        """Let go of both ends."""
        self.close_writer()
        if self._reader >= 0:
            os.close(self._reader)
            self._reader = -1

    def messages(self) -> "list[dict[str, object]]":
        """Give the whole lines that have arrived; a line that is no object is logged and lost."""
        self._fill()
        *lines, self._buffer = self._buffer.split(b"\n")
        found: list[dict[str, object]] = []
        for line in lines:
            try:
                message = json.loads(line)
            except ValueError:
                message = None
            if isinstance(message, dict):
                found.append(message)
            else:
                log.error("message.unreadable", bytes=len(line))
        return found

    def _fill(self) -> None:
        while self._reader >= 0 and len(self._buffer) < _LONGEST_LINE_BYTES:
            try:
                chunk = os.read(self._reader, 65536)
            except BlockingIOError:
                return
            if not chunk:
                return
            self._buffer += chunk


def send(writer: int, message: "dict[str, object]") -> None:
    """Write one message; PID 1 may be gone, which the writer will learn otherwise."""
    line = json.dumps(message).encode() + b"\n"
    while line:
        try:
            line = line[os.write(writer, line) :]
        except OSError:
            return
