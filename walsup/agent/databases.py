"""Asking every database of the cluster the same question, one after another."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from walsup.agent.world import World

_ALL = "select datname from pg_database where datallowconn order by datname"


async def ask_all(world: World, statement: str) -> AsyncIterator[tuple[str, Sequence[Any]]]:
    """Give each row of each database, with the database's name.

    Raises:
        asyncpg.PostgresError, OSError, TimeoutError: as they come.
    """
    for (name,) in await world.sql.rows(_ALL):
        sql = world.sql_of(str(name))
        try:
            for row in await sql.rows(statement):
                yield str(name), row
        finally:
            sql.drop()
