"""The pipes on which prepare and the agent send messages to PID 1, one message a line.

The kernel sends SIGIO when something arrives (O_ASYNC). One wait for signals therefore covers
messages too.
"""

import fcntl
import os

from walsup import log
from walsup.init.children.message_parser import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    Message = TypeVar("Message")

_LONGEST_LINE_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 16
_CHUNKS_A_TURN = 16


class MessagePipe:
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
        """Close the writing end, once the child has its own copy."""
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1

    def close(self) -> None:
        """Close both ends."""
        self.close_writer()
        if self._reader >= 0:
            os.close(self._reader)
            self._reader = -1

    def messages(self, parse: "Callable[[bytes], Message | Invalid]") -> "list[Message]":
        """Return the messages that have arrived. Invalid lines are logged, once a call.

        A child that writes without end must not keep PID 1 from its signals: what is left after a
        megabyte waits for the next call (`drained` is False then).
        """
        parsed = [parse(line) for line in self._lines()]
        problems = [message.problem for message in parsed if isinstance(message, Invalid)]
        if problems:
            log.error("message.unreadable", problem=problems[0], lines=len(problems))
        return [message for message in parsed if not isinstance(message, Invalid)]

    def _lines(self) -> "list[bytes]":
        lines: list[bytes] = []
        for _ in range(_CHUNKS_A_TURN):
            self.drained = not (chunk := self._read())
            if self.drained:
                break
            *whole, self._buffer = (self._buffer + chunk).split(b"\n")
            lines += whole
            if len(self._buffer) > _LONGEST_LINE_BYTES:
                log.error("message.unreadable", bytes=len(self._buffer))
                self._buffer = b""
        return lines

    def _read(self) -> bytes:
        try:
            return os.read(self._reader, _CHUNK_BYTES) if self._reader >= 0 else b""
        except BlockingIOError:
            return b""


def send(writer: int, line: bytes) -> None:
    """Write one line. When PID 1 is dead, the writer soon ends too."""
    while line:
        try:
            line = line[os.write(writer, line) :]
        except OSError:
            return
