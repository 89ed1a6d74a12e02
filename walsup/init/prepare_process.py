"""Prepare as PID 1 sees it: a fork that talks over a pipe and ends."""

import os
import signal

from walsup.errors import InternalError
from walsup.init import spawn
from walsup.init.message_parser import from_prepare
from walsup.init.pipe import MessagePipe, send
from walsup.pid1_messages import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from walsup.pid1_messages import FromPrepare, Refusal, Send

    Prepare = Callable[[list[str], int, Send], int]

KILL_AFTER_S = 2.0
ABANDON_AFTER_S = 3.0


class Preparation:
    """The one-shot child that makes the data directory ready."""

    __slots__ = ("_pipe", "code", "pid", "refusal")

    def __init__(self) -> None:
        self._pipe: MessagePipe | None = None
        self.pid = 0
        self.refusal = ""
        self.code = 0

    def start(self, prepare: "Prepare", arguments: "list[str]", lock: int) -> None:
        """Fork; `prepare` is called there, so what it imports stays out of PID 1."""
        self._pipe = pipe = MessagePipe()
        self.pid = spawn.fork_into(
            lambda: prepare(arguments, lock, lambda message: send(pipe.writer, encode(message)))
        )
        pipe.close_writer()

    def messages(self) -> "list[FromPrepare]":
        """Return what it has said since the last call."""
        return self._pipe.messages(from_prepare) if self._pipe else []

    def refuse(self, message: "Refusal") -> None:
        """Take note of its refusal."""
        self.refusal, self.code = message.text, message.exit_code

    def ended(self, code: int) -> None:
        """Take note of its end; without a refusal the code is its own death, or a bug."""
        self.pid = 0
        if self._pipe:
            self._pipe.close()
            self._pipe = None
        if not self.refusal:
            self.refusal = f"preparing the data directory ended with exit code {code}"
            self.code = code if code > 128 else InternalError.exit_code  # noqa: PLR2004 (128+n)

    def stop(self) -> None:
        """Ask it to end; what it has begun is finished or wiped by the next start (S24)."""
        self._signal(signal.SIGTERM)

    def climb(self, elapsed_s: float) -> None:
        """Kill it when it has not ended by now."""
        if elapsed_s > KILL_AFTER_S:
            self.kill()

    def kill(self) -> None:
        """End it without asking."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self.pid:
            os.kill(self.pid, number)
