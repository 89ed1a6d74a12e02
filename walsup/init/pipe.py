"""The pipes over which prepare and the agent talk to PID 1: one JSON object a line.

The kernel sends SIGIO when something arrives (O_ASYNC), so PID 1's one wait for signals is
also its wait for messages.
"""

import fcntl
import json
import os

from walsup import log

_LONGEST_LINE_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 16
_CHUNKS_A_TURN = 16


class Wire:
    """The reading end of a pipe, held by PID 1; `writer` goes to the child."""

    __slots__ = ("_buffer", "_reader", "drained", "writer")

    def __init__(self) -> None:
        self._reader, self.writer = os.pipe2(os.O_CLOEXEC)
        fcntl.fcntl(self._reader, fcntl.F_SETOWN, os.getpid())
        flags = fcntl.fcntl(self._reader, fcntl.F_GETFL)
        fcntl.fcntl(self._reader, fcntl.F_SETFL, flags | os.O_NONBLOCK | os.O_ASYNC)
        self._buffer = b""
        self.drained = True

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
        """Give the whole lines that have arrived; a line that is no object is logged and lost.

        A child that talks without end must not keep PID 1 from its signals: what is left over
        after a megabyte waits for the next call (`drained` is False then).
        """
        found: list[dict[str, object]] = []
        for _ in range(_CHUNKS_A_TURN):
            self.drained = not (chunk := self._read())
            if self.drained:
                break
            *lines, self._buffer = (self._buffer + chunk).split(b"\n")
            found += [message for line in lines if (message := _parsed(line)) is not None]
            if len(self._buffer) > _LONGEST_LINE_BYTES:
                log.error("message.unreadable", bytes=len(self._buffer))
                self._buffer = b""
        return found

    def _read(self) -> bytes:
        try:
            return os.read(self._reader, _CHUNK_BYTES) if self._reader >= 0 else b""
        except BlockingIOError:
            return b""


def send(writer: int, message: "dict[str, object]") -> None:
    """Write one message; PID 1 may be gone, which the writer will learn otherwise."""
    line = json.dumps(message).encode() + b"\n"
    while line:
        try:
            line = line[os.write(writer, line) :]
        except OSError:
            return


def _parsed(line: bytes) -> "dict[str, object] | None":
    try:
        message = json.loads(line)
    except ValueError:
        message = None
    if isinstance(message, dict):
        return message
    log.error("message.unreadable", bytes=len(line))
    return None
