"""One container under test, as `docker run` makes it."""

import contextlib
import json
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from dev.containers.client import DockerError, docker, run
from dev.harness import Address, NotSeenError, PgToolError, PgTools, wait_until
from dev.harness.processes import web

T = TypeVar("T")

PASSWORD = "pg-secret-of-container-tests"  # noqa: S105 (of a database that lives for one test)
PGDATA = "/var/lib/postgresql/data"
_TAIL_LINES = 60
_POSTGRES_PORT, _HTTP_PORT = 5432, 9351


class Box:
    """A container of an image of walsup's; a context manager, nothing of it outlives the block.

    Its volumes are directories of the host or docker's own, named by the test. `flags` are
    `docker run`'s, `command` what stands behind the image's name.
    """

    def __init__(
        self,
        image: str,
        tools: PgTools,
        *,
        env: Mapping[str, str] | None = None,
        flags: Sequence[str] = (),
        command: Sequence[str] = (),
    ) -> None:
        """Lay it out; nothing is started. `env` has the last word on the environment."""
        self.name = f"walsup-{secrets.token_hex(5)}"
        self.environment = {
            "POSTGRES_PASSWORD": PASSWORD,
            "WALSUP_LOG_FORMAT": "json",
            "WALSUP_STOP_GRACE": "25s",  # on a loaded machine the default is too short for a yes
        }
        self.environment |= env or {}
        self.image = image
        self.flags = list(flags)
        self.command = list(command)
        self.folder = Path(tempfile.mkdtemp(prefix="walsup-box-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.termination_log = self.folder / "termination-log"
        self.termination_log.touch()
        self.termination_log.chmod(0o666)  # as kubelet makes it
        self._tools = tools
        self._volumes: list[str] = []
        self._address = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()
        for volume in self._volumes:
            docker("volume", "rm", "--force", volume)
        shutil.rmtree(self.folder, ignore_errors=True)

    def volume(self, at: str = PGDATA) -> Self:
        """Mount a new volume of docker's own; it lives until the block ends."""
        # With a name: docker's own random one is an anonymous volume's.
        self._volumes.append(docker("volume", "create", f"{self.name}-{len(self._volumes)}"))
        self.flags += ["--volume", f"{self._volumes[-1]}:{at}"]
        return self

    def run(self) -> Self:
        """`docker run --detach`; the container of an earlier run of this box is removed."""
        self.remove()
        words = [word for pair in self.environment.items() for word in ("--env", "=".join(pair))]
        log = f"{self.termination_log}:/dev/termination-log"
        docker(
            *("run", "--detach", "--name", self.name, "--volume", log),
            *(*words, *self.flags, self.image, *self.command),
        )
        self._find_address()
        return self

    def start(self) -> None:
        """`docker start` after it has ended: the same container again."""
        docker("start", self.name)
        self._find_address()

    def stop(self, grace_s: int = 30) -> int:
        """`docker stop`; the exit code."""
        docker("stop", "--time", str(grace_s), self.name, timeout_s=grace_s + 60)
        return self.exit_code()

    def kill(self, signal: str = "KILL") -> None:
        """`docker kill`: a signal to PID 1."""
        docker("kill", "--signal", signal, self.name)

    def wait(self, timeout_s: float = 120.0) -> int:
        """The exit code, when it has ended by itself."""
        wait_until(
            lambda: not self.is_running, "it has ended", timeout_s=timeout_s, evidence=self.tail
        )
        return self.exit_code()

    def remove(self) -> None:
        """Remove the container, whatever it does; its volumes stay."""
        run("rm", "--force", self.name)

    def inspect(self) -> dict[str, Any]:
        """What docker knows about it."""
        found: dict[str, Any] = json.loads(docker("inspect", self.name))[0]
        return found

    @property
    def is_running(self) -> bool:
        """It has not ended."""
        return bool(self.inspect()["State"]["Running"])

    @property
    def pid(self) -> int:
        """PID 1 as it is seen from outside."""
        return int(self.inspect()["State"]["Pid"])

    def exit_code(self) -> int:
        """The exit code that docker tells."""
        return int(self.inspect()["State"]["ExitCode"])

    def exec(self, *argv: str, user: str | None = None) -> str:
        """What a command inside prints.

        Raises:
            DockerError: it failed.
        """
        return docker("exec", *(["--user", user] if user else []), self.name, *argv)

    def log(self) -> str:
        """What the container wrote, of all its starts."""
        done = run("logs", self.name)
        return done.stdout + done.stderr

    def tail(self) -> str:
        """The log's last lines."""
        return "\n".join(self.log().splitlines()[-_TAIL_LINES:])

    def events(self, name: str) -> list[dict[str, Any]]:
        """walsup's own log lines called `name`."""
        found = []
        for line in self.log().splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                event = json.loads(line) if line.startswith("{") else {}
                found += [event] if event.get("event") == name else []
        return found

    def state(self) -> dict[str, str]:
        """PID 1's state file; empty while there is none."""
        done = run("exec", self.name, "cat", "/run/walsup/state")
        pairs = (line.partition("=") for line in done.stdout.splitlines())
        return {key: value for key, _, value in pairs} if done.returncode == 0 else {}

    def last_word(self) -> str:
        """The termination message."""
        return self.termination_log.read_text().strip()

    def http(self, path: str, *, timeout_s: float = 5.0) -> tuple[int, Any]:
        """Status and body; (0, reason) while nobody answers."""
        return web.get(_HTTP_PORT, path, timeout_s=timeout_s, host=self._address)

    @property
    def address(self) -> Address:
        """PostgreSQL's, over the network."""
        password = self.environment.get("POSTGRES_PASSWORD", "")
        return Address(Path(self._address), _POSTGRES_PORT, password)

    def psql(self, sql: str, **options: Any) -> str:  # noqa: ANN401 - PgTools.psql's
        """The answer to `sql`, over the network, as the user that the environment names."""
        user = self.environment.get("POSTGRES_USER", "postgres")
        own = {"user": user, "database": self.environment.get("POSTGRES_DB", user)}
        return self._tools.psql(self.address, sql, **(own | options))

    def accepts(self) -> bool:
        """The database answers a query over the network."""
        try:
            return self.psql("select 1", timeout_s=10) == "1"
        except (PgToolError, subprocess.TimeoutExpired):
            return False

    def wait_for(self, look: Callable[[], T | None], what: str, *, timeout_s: float = 120.0) -> T:
        """The first truthy answer of `look`.

        Raises:
            NotSeenError: after `timeout_s`, or at once when it has ended; with the log's tail.
        """

        def look_while_running() -> T | None:
            was_running = self.is_running
            answer = look()
            if not answer and not was_running:
                raise NotSeenError(f"it ended while waited for: {what}\n{self.tail()}")
            return answer

        return wait_until(look_while_running, what, timeout_s=timeout_s, evidence=self.tail)

    def wait_accepts(self, *, timeout_s: float = 120.0) -> None:
        """Return when the database answers."""
        self.wait_for(self.accepts, "the database accepts connections", timeout_s=timeout_s)

    def _find_address(self) -> None:
        with contextlib.suppress(DockerError):
            self._address = self.inspect()["NetworkSettings"]["IPAddress"]
