"""Asking every database of the cluster the same question about its catalogs."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

import asyncpg

from walsup.agent.context import AgentContext
from walsup.postgres.sql.connection import UNANSWERED

_ALL = "select d.datname from pg_catalog.pg_database d where d.datallowconn order by d.datname"


class DatabaseRows(NamedTuple):
    """A database's rows, or why it gave none."""

    database: str
    rows: list[Sequence[Any]]
    problem: str = ""


async def ask_all(context: AgentContext, statement: str) -> AsyncIterator[DatabaseRows]:
    """Give each database's answer; one that cannot be asked does not hide the others.

    The session is for reading catalogs only: these databases belong to others.

    Raises:
        asyncpg.PostgresError, OSError, TimeoutError: the databases cannot be listed.
    """
    for (name,) in await context.sql.rows(_ALL):
        sql = context.look_into(str(name))
        try:
            yield DatabaseRows(str(name), await sql.rows(statement))
        except asyncpg.InvalidCatalogNameError:
            continue  # it has been dropped meanwhile
        # ValueError: a name that is not in the database's own encoding.
        except (*UNANSWERED, ValueError) as raised:
            yield DatabaseRows(str(name), [], f"{type(raised).__name__}: {raised}")
        finally:
            sql.drop()
