"""Prepare as PID 1 sees it: a fork that writes messages to a pipe and ends."""

import os
import signal

from walsup.errors import InternalError
from walsup.init.children import spawn
from walsup.init.children.message_parser import from_prepare
from walsup.init.children.pipe import MessagePipe, send
from walsup.init.ending import Reason
from walsup.pid1_messages import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from walsup.pid1_messages import FromPrepare, Send

    Prepare = Callable[[list[str], int, Send], int]

KILL_AFTER_S = 2.0
ABANDON_AFTER_S = 3.0


class PrepareProcess:
    """The one-shot child that makes the data directory ready."""

    __slots__ = ("_pipe", "pid", "refusal")

    def __init__(self) -> None:
        self._pipe: MessagePipe | None = None
        self.pid = 0
        self.refusal: Reason | None = None

    def start(self, prepare: "Prepare", arguments: "list[str]", lock: int) -> None:
        """Fork; `prepare` is called there, so what it imports stays out of PID 1."""
        self._pipe = pipe = MessagePipe()
        self.pid = spawn.fork_into(
            lambda: prepare(arguments, lock, lambda message: send(pipe.writer, encode(message)))
        )
        pipe.close_writer()

    def messages(self) -> "list[FromPrepare]":
        """Return the messages that have arrived since the last call."""
        return self._pipe.messages(from_prepare) if self._pipe else []

    def ended(self, code: int) -> None:
        """Record its end. An end without a refusal is a kill or a bug."""
        self.pid = 0
        if self._pipe:
            self._pipe.close()
            self._pipe = None
        if not self.refusal:
            self.refusal = Reason(
                f"preparing the data directory ended with exit code {code}",
                code if code > 128 else InternalError.exit_code,  # noqa: PLR2004 (128+n)
            )

    def stop(self) -> None:
        """Ask it to end. The next start finishes or wipes what it has begun."""
        self._signal(signal.SIGTERM)

    def climb(self, elapsed_s: float) -> None:
        """Kill it when it has not ended by now."""
        if elapsed_s > KILL_AFTER_S:
            self.kill()

    def kill(self) -> None:
        """End it at once."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self.pid:
            os.kill(self.pid, number)
