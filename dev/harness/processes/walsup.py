"""walsup itself, started as its users start it: a real PID 1 where this machine allows."""

import atexit
import contextlib
import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from signal import SIGKILL, SIGTERM
from typing import Any, Self, TypeVar

from dev.harness.processes import web
from dev.harness.processes.layout import Layout, archive_environment, new_prefix
from dev.harness.processes.machine import PYTHON, Machine
from dev.harness.processes.memory import MemoryGroup
from dev.harness.processes.namespace import Container, Member, find_init, launcher
from dev.harness.processes.pg import Address, PgToolError, PgTools
from dev.harness.processes.waiting import NotSeenError, wait_until
from dev.harness.storage.s3 import S3Server

T = TypeVar("T")

_TAIL_LINES = 60
_KILL_TIMEOUT_S = 5.0


class Walsup:
    """One `walsup run` with a directory, ports and an archive prefix of its own.

    Use it as a context manager: nothing of it outlives the block. It may be started again after
    it has ended; `log` and `events` then tell of the last start.
    """

    def __init__(  # noqa: PLR0913 - each names one thing that a test may choose
        self,
        machine: Machine,
        *,
        engine: str | None = None,
        s3: S3Server | None = None,
        prefix: str | None = None,
        endpoint: str | None = None,
        env: Mapping[str, str | None] | None = None,
        args: Sequence[str] = (),
        memory: MemoryGroup | None = None,
    ) -> None:
        """Lay the directories out; nothing is started.

        `prefix`: the archive's in the bucket; `endpoint`: one in front of `s3` (a FaultProxy's);
        `env` has the last word (None removes); `args`: postgres's; `memory`: the group it runs in.
        """
        self.machine = machine
        self.engine = engine or machine.engines[0]
        self.s3 = s3
        self.prefix = prefix or new_prefix()
        self.args = list(args)
        self.before: Sequence[str] = memory.launcher if memory else ()
        self.program = ["env", "--block-signal", str(PYTHON), "-I", "-m", "walsup", "run"]
        self.tools = PgTools(machine.bindir, db_user=machine.db_user)
        self.layout = Layout(machine)
        self.pgdata = self.layout.pgdata
        self.run_dir = self.layout.run_dir
        self.environment = self.layout.environment(machine, self.engine)
        if s3 is not None:
            self.environment |= archive_environment(s3, self.prefix, endpoint)
        given = {**self.environment, **(env or {})}
        self.environment = {name: value for name, value in given.items() if value is not None}
        self._process: subprocess.Popen[bytes] | None = None
        self._container: Container | None = None
        self._log_start = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> Self:
        """Start it; returns when PID 1 has its signals blocked, long before postgres is there.

        A walsup that refuses may have ended by then: `wait` has its exit code.
        """
        self.kill_tree()
        with self.layout.log_file.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                [*self.before, *launcher(), *self.program, *self.args],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                cwd="/",
                start_new_session=True,
            )
        atexit.register(self.kill_tree)
        with contextlib.suppress(FileNotFoundError):  # it refused, and is gone again
            self._container = Container(find_init(self._process))
        return self

    def signal(self, number: int) -> None:
        """Send a signal to PID 1."""
        os.kill(self.init_pid, number)

    def wait(self, timeout_s: float = 40.0) -> int:
        """The exit code; -n when PID 1 itself was killed by signal n."""
        if self._process is None:
            raise RuntimeError("walsup was not started")
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired as late:
            problem = f"walsup did not end within {timeout_s:g} s\n{self.tail()}"
            raise NotSeenError(problem) from late

    def stop(self, timeout_s: float = 40.0) -> int:
        """Send TERM and wait for the exit code."""
        self.signal(SIGTERM)
        return self.wait(timeout_s)

    def kill_tree(self) -> None:
        """Kill whatever of it is still there, at once."""
        atexit.unregister(self.kill_tree)
        if self._container is not None:
            self._container.kill()
            self._container.close()
            self._container = None
        if self._process is not None:
            try:
                # unshare ends by itself when the last process of its namespace has gone.
                self._process.wait(_KILL_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def close(self) -> None:
        """Kill it and remove its directories."""
        self.kill_tree()
        self.layout.remove()

    @property
    def is_running(self) -> bool:
        """It was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def init_pid(self) -> int:
        """PID 1 as it is seen from outside."""
        return self._of_container().init_pid

    def members(self) -> list[Member]:
        """Every process of the container, zombies included."""
        return self._of_container().members()

    def outer_pid(self, inner_pid: int) -> int:
        """The pid outside of what is `inner_pid` in the container."""
        for member in self.members():
            if member.inner_pid == inner_pid:
                return member.outer_pid
        problem = f"no process {inner_pid} in the container"
        raise ProcessLookupError(problem)

    def pid_of(self, child: str) -> int:
        """The outer pid of `postgres`, `agent` or `engine`, as the state file names it."""
        return self.outer_pid(int(self.state().get(f"{child}_pid") or 0))

    def kill(self, child: str, number: int = SIGKILL) -> int:
        """Send a signal to `postgres`, `agent` or `engine`; gives the inner pid that got it."""
        inner_pid = int(self.state().get(f"{child}_pid") or 0)
        os.kill(self.outer_pid(inner_pid), number)
        return inner_pid

    def log(self) -> str:
        """What walsup, postgres and the engine wrote since the last start."""
        with self.layout.log_file.open("rb") as file:
            file.seek(self._log_start)
            return file.read().decode(errors="replace")

    def tail(self) -> str:
        """The log's last lines."""
        return "\n".join(self.log().splitlines()[-_TAIL_LINES:])

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """walsup's own log lines since the last start, those called `name` if given."""
        found: list[dict[str, Any]] = []
        for line in self.log().splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                event = json.loads(line) if line.startswith("{") else None
                if isinstance(event, dict) and name in {None, event.get("event")}:
                    found.append(event)
        return found

    def state(self) -> dict[str, str]:
        """PID 1's state file; empty while there is none."""
        try:
            lines = (self.run_dir / "state").read_text().splitlines()
        except FileNotFoundError:
            return {}
        return {key: value for key, _, value in (line.partition("=") for line in lines)}

    def http(self, path: str, *, timeout_s: float = 5.0) -> tuple[int, Any]:
        """Status and body (JSON decoded when it says so); (0, reason) while nobody answers."""
        return web.get(self.layout.http_port, path, timeout_s=timeout_s)

    @property
    def address(self) -> Address:
        """Its unix socket, from postmaster.pid."""
        return Address.of(self.pgdata)

    def psql(self, sql: str, **options: Any) -> str:  # noqa: ANN401 - PgTools.psql's
        """The answer to `sql`, through the unix socket."""
        return self.tools.psql(self.address, sql, **options)

    def accepts(self) -> bool:
        """The database answers a query."""
        try:
            return self.psql("select 1", timeout_s=5) == "1"
        except (FileNotFoundError, PgToolError, subprocess.TimeoutExpired):
            return False

    def wait_for(self, look: Callable[[], T | None], what: str, *, timeout_s: float = 30.0) -> T:
        """The first truthy answer of `look`.

        Raises:
            NotSeenError: after `timeout_s`, or at once when walsup has ended; with the log's tail.
        """

        def look_while_running() -> T | None:
            was_running = self.is_running
            answer = None
            with contextlib.suppress(KeyError):  # a status that nobody has given is {}
                answer = look()
            if not answer and not was_running:
                problem = f"walsup ended while waited for: {what}\n{self.tail()}"
                raise NotSeenError(problem)
            return answer

        return wait_until(look_while_running, what, timeout_s=timeout_s, evidence=self.tail)

    def wait_event(self, name: str, *, timeout_s: float = 30.0) -> dict[str, Any]:
        """The first event called `name` since the last start."""
        return self.wait_for(lambda: self.events(name), f"event {name}", timeout_s=timeout_s)[0]

    def wait_accepts(self, *, timeout_s: float = 30.0) -> None:
        """Return when the database answers."""
        self.wait_for(self.accepts, "the database accepts connections", timeout_s=timeout_s)

    def _of_container(self) -> Container:
        if self._container is None:
            problem = f"walsup is not there: never started, killed, or ended at once\n{self.tail()}"
            raise RuntimeError(problem)
        return self._container
