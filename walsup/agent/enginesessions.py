"""The engine's own sessions: what they set in the database, as those of the agent do."""

import contextlib
from collections.abc import AsyncIterator

from walsup.agent.world import World
from walsup.postgres import session
from walsup.postgres.relay import relay
from walsup.postgres.server import postmaster
from walsup.postgres.session import Purpose

_DIRECTORY = "sessions"


@contextlib.asynccontextmanager
async def safe_sessions(world: World) -> AsyncIterator[dict[str, str]]:
    """Give the variables for an engine that opens sessions while the block runs.

    Raises:
        OSError: postgres does not run, or the socket for the engine cannot be made.
    """
    pgdata = world.settings.pgdata
    server = postmaster(pgdata)
    if server is None:
        raise ConnectionRefusedError("postgres does not run")
    # What postgres has taken from the agent, whose role is the same, it takes from the engine.
    found = world.sql.settings or session.settings(Purpose.OWN, session.major_of(pgdata))[-1]
    settings = {name: value for name, value in found.items() if name != "application_name"}
    directory = world.run_dir / _DIRECTORY
    async with relay(server.socket, directory, server.port, settings):
        # The options too: an engine may try another address when this one fails.
        yield {
            "PGHOST": str(directory),
            "PGPORT": str(server.port),
            "PGOPTIONS": session.options(session.major_of(pgdata)),
        }
