"""The agent as PID 1 sees it: a restarted child that must send a heartbeat on a pipe."""

import time

from walsup import log
from walsup.init.children.message_parser import from_agent
from walsup.init.children.pipe import MessagePipe
from walsup.init.children.service import Service

TYPE_CHECKING = False
if TYPE_CHECKING:
    from walsup.pid1_messages import FromAgent

_BEATS_S = 2.5  # it beats every second
_STARTS_S = 10.0
_THAWS_S = 1.5


class AgentService(Service):
    """The agent. When it is silent for `silence_s`, it hangs: it is killed and started again."""

    __slots__ = ("_heard_s", "_late_s", "_patience_s", "_pipe", "_silence_s")

    def __init__(self, silence_s: float) -> None:
        super().__init__("agent")
        self._silence_s = silence_s
        self._heard_s = 0.0
        self._late_s = float("inf")
        self._patience_s = _STARTS_S
        self._pipe: MessagePipe | None = None

    def begin(self) -> None:
        """Start it with a new pipe: half a line of a dead agent must not meet the next one."""
        if self._pipe:
            self._pipe.close()
            self._pipe = None
        try:
            self._pipe = MessagePipe()
        except OSError:
            return  # no descriptor left; the next turn of the loop tries again
        writer = self._pipe.writer
        self.start(inherit=(writer,), WALSUP_WIRE=str(writer), **log.environment())
        self._pipe.close_writer()
        self._heard_s, self._patience_s = time.monotonic(), _STARTS_S

    def messages(self) -> "list[FromAgent]":
        """Return the messages that have arrived since the last call."""
        if self._pipe is None:
            return []
        messages: list[FromAgent] = self._pipe.messages(from_agent)
        if messages:
            self._heard_s, self._patience_s = time.monotonic(), _BEATS_S
        return messages

    @property
    def has_more_to_say(self) -> bool:
        """Return whether more messages wait than one turn of the loop reads."""
        return self._pipe is not None and not self._pipe.drained

    def silent_in(self, now_s: float) -> float:
        """Return the seconds until its silence is a hang; infinite while it does not run."""
        return self._heard_s + self._silence_s - now_s if self.pid else float("inf")

    def kill_silent(self, now_s: float) -> None:
        """Kill it when it is silent now, because its base backup would outlive the lease."""
        if self.pid and now_s - self._heard_s > _BEATS_S:
            log.warning("agent.silent", silent_s=round(now_s - self._heard_s, 1))
            self.kill()

    def kill_late(self, now_s: float) -> None:
        """Kill it when it is silent while only its renewal keeps the database running.

        A starting agent gets more time. After the whole container stood still, the agent gets time
        to send a message.
        """
        if not self.pid or now_s - self._heard_s <= self._patience_s:
            self._late_s = float("inf")
            return
        self._late_s = min(self._late_s, now_s)
        if now_s - self._late_s >= _THAWS_S:
            log.warning("agent.late", silent_s=round(now_s - self._heard_s, 1))
            self._heard_s = now_s
            self.kill()

    def kill_hung(self, now_s: float) -> None:
        """Kill it when it has been silent for too long."""
        if self.silent_in(now_s) < 0:
            log.warning("agent.hung", silent_s=self._silence_s)
            self._heard_s = now_s
            self.kill()
