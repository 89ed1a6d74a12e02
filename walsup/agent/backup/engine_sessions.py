"""The engine's own sessions: what they set in the database, as those of the agent do."""

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
    """Give the variables for an engine that opens sessions while the block runs.

    Raises:
        OSError: postgres does not run, or the socket for the engine cannot be made.
    """
    pgdata = context.settings.pgdata
    server = postmaster(pgdata)
    if server is None:
        raise ConnectionRefusedError("postgres is not running")
    # What postgres has taken from the agent, whose role is the same, it takes from the engine.
    found = (
        context.sql.settings
        or startup_settings.settings(Purpose.OWN, startup_settings.major_of(pgdata))[-1]
    )
    settings = {name: value for name, value in found.items() if name != "application_name"}
    directory = context.run_dir / _DIRECTORY
    async with relay(server.socket, directory, server.port, settings):
        # The options too: an engine may try another address when this one fails.
        yield {
            "PGHOST": str(directory),
            "PGPORT": str(server.port),
            "PGOPTIONS": startup_settings.options(startup_settings.major_of(pgdata)),
        }
