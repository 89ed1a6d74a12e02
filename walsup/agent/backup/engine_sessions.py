"""Gives the engine's database sessions the same settings as the agent's sessions."""

import contextlib
from collections.abc import AsyncIterator

from walsup.agent.context import AgentContext
from walsup.postgres.sql import startup_settings
from walsup.postgres.sql.connection import postmaster
from walsup.postgres.sql.startup_relay import relay
from walsup.postgres.sql.startup_settings import Purpose

_DIRECTORY = "sessions"


@contextlib.asynccontextmanager
async def safe_sessions(context: AgentContext) -> AsyncIterator[dict[str, str]]:
    """Provide the variables for an engine that opens sessions while the block runs.

    Raises:
        OSError: postgres does not run, or the socket for the engine cannot be made.
    """
    pgdata = context.settings.pgdata
    server = postmaster(pgdata)
    if server is None:
        raise ConnectionRefusedError("postgres is not running")
    # The engine uses the agent's role: postgres accepts from it what it accepted from the agent.
    startup = (
        context.sql.settings
        or startup_settings.settings(Purpose.OWN, startup_settings.major_of(pgdata))[-1]
    )
    settings = {name: value for name, value in startup.items() if name != "application_name"}
    directory = context.run_dir / _DIRECTORY
    async with relay(server.socket, directory, server.port, settings):
        # The options too: an engine may try another address when this one fails.
        yield {
            "PGHOST": str(directory),
            "PGPORT": str(server.port),
            "PGOPTIONS": startup_settings.options(startup_settings.major_of(pgdata)),
        }
