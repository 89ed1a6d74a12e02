"""Runs the same query on the catalogs of every database of the cluster."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

import asyncpg

from walsup.agent.context import AgentContext
from walsup.postgres.sql.connection import UNANSWERED

_ALL = "select d.datname from pg_catalog.pg_database d where d.datallowconn order by d.datname"


class DatabaseRows(NamedTuple):
    """The rows of a database, or why it returned none."""

    database: str
    rows: list[Sequence[Any]]
    problem: str = ""


async def ask_all(context: AgentContext, statement: str) -> AsyncIterator[DatabaseRows]:
    """Yield the answer of each database; one that cannot be asked does not hide the others.

    The sessions only read catalogs: these databases belong to the users.

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
