"""The agent's connection to PID 1: it reads a state file, writes to a pipe, waits for a signal."""

import asyncio
import os
from pathlib import Path

from walsup.agent.snapshot import Pid1State
from walsup.archive.faults import Fault, FaultKind
from walsup.pid1_messages import (
    Beat,
    ExplainExit,
    ExtendLease,
    FromAgent,
    Launch,
    Reload,
    RequestStop,
    SetDaemon,
    Verdict,
    encode,
)


class Pid1Link:
    """Reads what PID 1 shows, and writes messages to it."""

    def __init__(self, run_dir: Path, wire: int | None) -> None:
        """`wire`: the descriptor of the pipe, None when the agent was started by hand."""
        self._path = run_dir / "state"
        self._wire = wire
        self._last = Pid1State()
        self.waits: Fault | None = None
        self.nudged = asyncio.Event()

    def read(self) -> Pid1State:
        """Read the state file; PID 1 replaces it by rename, so it is never half.

        `waits` is then why prepare waits for the archive, None when it does not.
        """
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except OSError:
            return self._last  # it has been removed: PID 1 writes it again within 5 s
        fields = dict(line.partition("=")[::2] for line in lines)

        def number(name: str) -> int:
            return int(fields.get(name) or 0)

        self.waits = None
        if kind := fields.get("waits_kind"):
            self.waits = Fault(
                FaultKind.of(kind), fields.get("waits_problem", ""), fields.get("waits_remedy", "")
            )
        self._last = Pid1State(
            phase=fields.get("phase", "starting"),
            detail=fields.get("detail", ""),
            postgres_pid=number("postgres_pid"),
            engine_pid=number("engine_pid"),
            engine_generation=number("engine_generation"),
            engine_restarts=number("engine_restarts"),
            agent_restarts=number("agent_restarts"),
            log_dropped_lines=number("log_dropped_lines"),
            log_stalls=fields.get("log_stalls", ""),
            reloads=number("reloads"),
            stop_deadline_s=float(fields.get("stop_deadline_monotonic_s") or 0),
        )
        return self._last

    def beat(self) -> None:
        """Tell PID 1 that the event loop runs; PID 1 treats silence for 30 s as a hang."""
        self._send(Beat())

    def want_engine(
        self, generation: int, argv: list[str], environment: dict[str, str], until_s: float
    ) -> None:
        """Ask for the engine's daemon until the lease ends; each generation is a new process."""
        self._send(SetDaemon("engine", Launch(argv, environment), generation, until_s))

    def want_reader(self, generation: int, argv: list[str], environment: dict[str, str]) -> None:
        """Ask for the daemon that fetches for a recovery; it needs no lease."""
        self._send(SetDaemon("reader", Launch(argv, environment), generation))

    def no_reader(self) -> None:
        """Ask for the end of that daemon: the restore is done."""
        self._send(SetDaemon("reader", None, 0))

    def explain_exit(self, reason: str, code: int) -> None:
        """Set the reason and exit code for an end of postgres from now on; ("", 0) resets them."""
        self._send(ExplainExit(reason, code))

    def request_stop(self, reason: str, code: int) -> None:
        """Stop the container: its next start decides again what this instance is."""
        self._send(RequestStop(reason, code))

    def lease(self, until_s: float) -> None:
        """Let the daemon run until then, by the clock of leases; then PID 1 ends it."""
        self._send(ExtendLease(until_s))

    def no_engine(self) -> None:
        """End the daemon: every push fails, and WAL waits in pg_wal."""
        self._send(SetDaemon("engine", None, 0))

    def reload(self) -> None:
        """Ask for a reload of postgres, which also wakes its archiver."""
        self._send(Reload())

    def verdict(self, text: str) -> None:
        """Send the verdict of a stop."""
        self._send(Verdict(text))

    def _send(self, message: FromAgent) -> None:
        if self._wire is None:
            return
        line = encode(message)
        while line:
            line = line[os.write(self._wire, line) :]
