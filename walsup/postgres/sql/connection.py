"""The running server by its own files, and one SQL connection over the unix socket."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from walsup.postgres.sql import startup_settings
from walsup.postgres.sql.startup_settings import Purpose

T = TypeVar("T")

# Exceptions of a query that the server does not answer.
UNANSWERED = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)

_CONNECT_TIMEOUT_S = 3.0
_STATEMENT_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Postmaster:
    """The content of postmaster.pid. Source: pidfile.h, PostgreSQL 10 to 18."""

    pid: int
    port: int
    socket_dir: str
    status: str

    @property
    def socket(self) -> Path:
        """Return its unix socket; of several directories postmaster.pid has the first."""
        return Path(self.socket_dir) / f".s.PGSQL.{self.port}"

    @property
    def accepts(self) -> bool:
        """Return whether connections are accepted, for writing or reading."""
        return self.status in ("ready", "standby")


def postmaster(pgdata: Path) -> Postmaster | None:
    """Read postmaster.pid; None when it is absent, or not yet complete."""
    try:
        lines = (pgdata / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    try:
        pid, port, socket_dir, status = lines[0], lines[3], lines[4], lines[7]
        return Postmaster(
            pid=int(pid), port=int(port), socket_dir=socket_dir.strip(), status=status.strip()
        )
    except (IndexError, ValueError):
        return None


def archives(pgdata: Path) -> bool:
    """Return whether the server was started with archive_mode on: it changes only then.

    The last value on its command line counts, and that is walsup's own.
    """
    try:
        options = (pgdata / "postmaster.opts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True
    return not options.rpartition("archive_mode=")[2].startswith("off")


class Sql:
    """One connection, opened when it is needed, used by one statement at a time."""

    def __init__(
        self,
        pgdata: Path,
        role: str,
        password: str | None = None,
        database: str = "postgres",
        purpose: Purpose = Purpose.OWN,
    ) -> None:
        self._database = database
        self._purpose = purpose
        self.settings: Mapping[str, str] = {}  # those of the last session's startup packet
        self._pgdata = pgdata
        self._role = role
        self._password = password
        self._connection: asyncpg.Connection | None = None
        self._lock = asyncio.Lock()

    async def rows(self, statement: str, *arguments: object) -> list[Sequence[Any]]:
        """Run a statement; return all its rows.

        Raises:
            asyncpg.PostgresError, OSError, TimeoutError: unchanged.
        """
        rows = await self._ask(lambda connection: connection.fetch(statement, *arguments))
        return [tuple(row) for row in rows]

    async def row(self, statement: str, *arguments: object) -> Sequence[Any]:
        """Run a statement; return its first row.

        Raises:
            asyncpg.PostgresError, OSError, TimeoutError: unchanged.
        """
        row = await self._ask(lambda connection: connection.fetchrow(statement, *arguments))
        return () if row is None else tuple(row)

    async def _ask(self, statement: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        """Run a statement on the connection, which is made if there is none."""
        async with self._lock:
            try:
                if self._connection is None or self._connection.is_closed():
                    self._connection = await self._connect()
                return await statement(self._connection)
            except (OSError, TimeoutError, asyncpg.InterfaceError):
                self.drop()
                raise

    def drop(self) -> None:
        """Close the connection without waiting for the server."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _connect(self) -> asyncpg.Connection:
        server = postmaster(self._pgdata)
        if server is None or not server.accepts:
            raise ConnectionRefusedError("postgres does not accept connections yet")
        *choices, last = startup_settings.settings(
            self._purpose, startup_settings.major_of(self._pgdata)
        )
        for settings in choices:
            try:
                return await self._begin(server, settings)
            except asyncpg.InsufficientPrivilegeError:
                continue  # the role is not a superuser: what every role may set is set at least
        return await self._begin(server, last)

    async def _begin(self, server: Postmaster, settings: Mapping[str, str]) -> asyncpg.Connection:
        connection = await asyncpg.connect(
            host=server.socket_dir,
            port=server.port,
            user=self._role,
            password=self._password,
            database=self._database,
            timeout=_CONNECT_TIMEOUT_S,
            command_timeout=_STATEMENT_TIMEOUT_S,
            server_settings=dict(settings),
        )
        self.settings = settings
        return connection
