"""The children that PID 1 starts again when they die: the log, the agent, the engine's daemons."""

from walsup.init.children.agent_service import AgentService
from walsup.init.children.service import Service
from walsup.init.log_pipe import LogService

TYPE_CHECKING = False
if TYPE_CHECKING:
    from walsup.pid1_messages import SetDaemon


class Services:
    """All restarted children. `daemons` holds the engine's daemons by name."""

    __slots__ = ("agent", "daemons", "log")

    def __init__(self, silence_s: float) -> None:
        self.log = LogService()
        self.agent = AgentService(silence_s)
        self.daemons: dict[str, Service] = {}

    def set_daemon(self, message: "SetDaemon") -> None:
        """Run a daemon, or end it."""
        daemon = self.daemons.setdefault(message.name, Service(message.name))
        daemon.want(message.launch, message.generation)
        daemon.until_s = message.until_s

    def extend_lease(self, until_s: float) -> None:
        """Let the daemons run until `until_s`, by CLOCK_BOOTTIME."""
        for daemon in self.daemons.values():
            if daemon.until_s != float("inf"):  # the reader of another archive needs no lease
                daemon.until_s = until_s

    def ended(self, pid: int, code: int) -> None:
        """Record the end of a process, if it is one of them."""
        for service in self._all():
            if pid == service.pid:
                service.ended(code)

    def start_due(self, now_s: float) -> None:
        """Start what is due, and end what hangs or has no lease any more."""
        self.log.tend(now_s)
        for daemon in self.daemons.values():
            if daemon.end_overdue():
                self.agent.kill_silent(now_s)
            if daemon.due_in(now_s) == 0:
                daemon.start()
        self.agent.kill_hung(now_s)
        if self.agent.due_in(now_s) == 0:
            self.agent.begin()

    def due_in(self, now_s: float) -> float:
        """Return the seconds until `start_due` has something to do."""
        pauses = [self.agent.silent_in(now_s), 0.0 if self.agent.has_more_to_say else float("inf")]
        starts = (service.due_in(now_s) for service in self._all())
        pauses.extend(start_s for start_s in starts if start_s is not None)
        pauses.extend(daemon.left_s() for daemon in self.daemons.values())
        return min(pauses)

    def fields(self) -> "dict[str, object]":
        """Return their lines of the state file."""
        fields = {
            "agent_pid": self.agent.pid or "",
            "agent_restarts": self.agent.restarts,
            **self.log.fields(),
            "log_pid": self.log.pid or "",
            "log_restarts": self.log.restarts,
        }
        for name, daemon in self.daemons.items():
            fields[f"{name}_pid"] = daemon.pid or ""
            fields[f"{name}_generation"] = daemon.running_generation
            fields[f"{name}_restarts"] = daemon.restarts
        return fields

    def kill_writers(self) -> None:
        """End the agent and the daemons; the log stays."""
        for service in (self.agent, *self.daemons.values()):
            service.generation = 0
            service.kill()

    def has_writers(self) -> bool:
        """Return whether the agent or a daemon still runs."""
        return any(service.pid for service in (self.agent, *self.daemons.values()))

    def _all(self) -> "tuple[Service, ...]":
        return (self.log, self.agent, *self.daemons.values())
