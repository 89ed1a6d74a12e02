"""PostgreSQL's own programs: psql, pgbench, and a bare cluster to compare with."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

_TOOL_TIMEOUT_S = 120.0


class PgToolError(AssertionError):
    """A program of PostgreSQL failed: its arguments, exit code and output."""


class Address(NamedTuple):
    """Where a server is: the directory of its unix socket, or a host, which wants a password."""

    socket_dir: Path
    port: int
    password: str = ""

    @classmethod
    def of(cls, pgdata: Path) -> Self:
        """The address that `postmaster.pid` names: line 4 is the port, line 5 the directory.

        Raises:
            FileNotFoundError: no postmaster has got that far.
        """
        lines = (pgdata / "postmaster.pid").read_text().splitlines()
        try:
            return cls(Path(lines[4].split(",")[0].strip()), int(lines[3]))
        except (IndexError, ValueError) as half_written:
            problem = f"{pgdata}/postmaster.pid is not complete yet"
            raise FileNotFoundError(problem) from half_written


@dataclass(frozen=True, slots=True, kw_only=True)
class PgBenchResult:
    """What pgbench printed.

    `failed` counts transactions; a client that lost its server makes `exit_code` 2 instead.
    """

    exit_code: int
    tps: float
    transactions: int
    failed: int
    output: str

    @property
    def is_clean(self) -> bool:
        """Nothing went wrong on the database's side."""
        return self.exit_code == 0 and self.failed == 0


class PgBench:
    """A pgbench that runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @property
    def is_running(self) -> bool:
        """It has not ended."""
        return self._process.poll() is None

    def result(self, timeout_s: float = _TOOL_TIMEOUT_S) -> PgBenchResult:
        """Wait for its end and read what it printed."""
        try:
            output, _ = self._process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        return _read_pgbench(self._process.returncode, output)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.communicate()


class PgTools:
    """PostgreSQL's programs in `bindir`; `db_user` runs the server's when we are root."""

    def __init__(self, bindir: Path, *, db_user: str = "") -> None:
        self.bindir = bindir
        self.db_user = db_user

    def psql(
        self,
        address: Address,
        sql: str,
        *,
        user: str = "postgres",
        database: str = "postgres",
        timeout_s: float = 30.0,
    ) -> str:
        """The answer to `sql`: columns by `|`, rows by line, the last newline cut.

        Raises:
            PgToolError: psql or the server refused.
        """
        options = ["-X", "-At", "-q", "-v", "ON_ERROR_STOP=1", *_to(address, user)]
        argv = ["psql", *options, "-d", database, "-c", sql]
        return self._run(argv, timeout_s=timeout_s, password=address.password)

    def psql_each(self, address: Address, *statements: str, timeout_s: float = 15.0) -> str:
        """Run statements one after another in one session; gives what the last one shows.

        Raises:
            PgToolError: psql or the server refused.
        """
        options = ["-X", "-At", "-q", "-v", "ON_ERROR_STOP=1", *_to(address, "postgres")]
        words = [word for statement in statements for word in ("-c", statement)]
        return self._run(["psql", *options, "-d", "postgres", *words], timeout_s=timeout_s)

    def session(self, address: Address) -> subprocess.Popen[bytes]:
        """Open a session that sleeps."""
        argv = [str(self.bindir / "psql"), "-X", *_to(address, "postgres"), "-d", "postgres"]
        return subprocess.Popen(
            [*argv, "-c", "select pg_sleep(3600)"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=_environment(),
        )

    def pgbench_init(self, address: Address, *, scale: int = 1, user: str = "postgres") -> None:
        """Make pgbench's tables, `scale` times 15 MB."""
        self._run(["pgbench", "-i", "-q", "-s", str(scale), *_to(address, user), "postgres"])

    def pgbench(
        self,
        address: Address,
        *,
        duration_s: int,
        clients: int = 2,
        options: Sequence[str] = (),
        user: str = "postgres",
    ) -> PgBench:
        """Start writing for `duration_s`."""
        load = ["-n", "-T", str(duration_s), "-c", str(clients), "-j", "1", *options]
        argv = [str(self.bindir / "pgbench"), *load, *_to(address, user), "postgres"]
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=_environment(),
        )
        return PgBench(process)

    def initdb(self, pgdata: Path, *options: str) -> None:
        """Make a bare cluster with the superuser `postgres`; its parent must be writable by it."""
        argv = ["initdb", "-D", str(pgdata), "-U", "postgres", "--auth=trust", "-N", *options]
        self._run(argv, as_server=True)

    def start(
        self, pgdata: Path, *, port: int, settings: Mapping[str, str] | None = None
    ) -> Address:
        """Start a bare server with its socket in `pgdata` and its log in `pgdata`.log."""
        given = {
            "listen_addresses": "",
            "port": str(port),
            "unix_socket_directories": str(pgdata),
            **(settings or {}),
        }
        # pg_ctl hands -o to a shell.
        options = " ".join(f"-c {name}='{_in_quotes(value)}'" for name, value in given.items())
        log = f"{pgdata}.log"
        argv = ["pg_ctl", "-D", str(pgdata), "-w", "-l", log, "-o", options, "start"]
        self._run(argv, as_server=True)
        return Address(pgdata, port)

    def stop(self, pgdata: Path, *, mode: str = "fast") -> None:
        """Stop a bare server."""
        self._run(["pg_ctl", "-D", str(pgdata), "-w", "-m", mode, "stop"], as_server=True)

    def run(self, *argv: str, said: str | None = None) -> str:
        """Run one of PostgreSQL's programs as the server's user, `said` on its standard input.

        Raises:
            PgToolError: it failed.
        """
        return self._run([*argv], as_server=True, said=said)

    def control(self, pgdata: Path) -> dict[str, str]:
        """What pg_controldata prints, by its labels."""
        lines = self._run(["pg_controldata", "-D", str(pgdata)], as_server=True).splitlines()
        pairs = (line.partition(":") for line in lines)
        return {label: value.strip() for label, _, value in pairs}

    def _run(
        self,
        argv: list[str],
        *,
        as_server: bool = False,
        timeout_s: float = _TOOL_TIMEOUT_S,
        password: str = "",
        said: str | None = None,
    ) -> str:
        user = self.db_user if as_server and self.db_user else None
        # Output goes to a pipe that a server started by pg_ctl would hold open: it has -l.
        done = subprocess.run(
            [str(self.bindir / argv[0]), *argv[1:]],
            check=False,
            stdin=subprocess.DEVNULL if said is None else None,
            input=said,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            cwd="/",
            env=_environment() | ({"PGPASSWORD": password} if password else {}),
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
        if done.returncode != 0:
            problem = f"{argv} exited with {done.returncode}\n{done.stdout}{done.stderr}"
            raise PgToolError(problem)
        return done.stdout.rstrip("\n")


def _to(address: Address, user: str) -> list[str]:
    return ["-h", str(address.socket_dir), "-p", str(address.port), "-U", user]


def _environment() -> dict[str, str]:
    """Nothing of PG* from outside; C, because pgbench's words are parsed."""
    return {"PATH": os.environ["PATH"], "LC_ALL": "C"}


def _in_quotes(value: str) -> str:
    return value.replace("'", "'\\''")


def _read_pgbench(exit_code: int, output: str) -> PgBenchResult:
    def number(pattern: str) -> float:
        match = re.search(pattern, output)
        return float(match[1]) if match else 0.0

    return PgBenchResult(
        exit_code=exit_code,
        tps=number(r"tps = ([0-9.]+)"),
        transactions=int(number(r"transactions actually processed: ([0-9]+)")),
        failed=int(number(r"failed transactions: ([0-9]+)")),
        output=output,
    )
