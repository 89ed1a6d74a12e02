"""Checks on a separate schedule whether postgres answers a new connection.

When the postmaster hangs, postmaster.pid keeps its last status, and open sessions still work.
"""

import asyncio

import asyncpg

from walsup.agent.context import AgentContext
from walsup.agent.snapshot import NewConnection
from walsup.datadir import restore_state
from walsup.postgres.sql.connection import Sql, postmaster
from walsup.redaction import redact_known

_EVERY_S = 2.0
_LOOK_EVERY_S = 0.1
_DEADLINE_S = 3.0
_QUESTION = "select pg_catalog.pg_is_in_recovery()"


async def connection(context: AgentContext) -> None:
    """Try a new connection every two seconds while postmaster.pid says that it accepts them."""
    while not context.signals.stopping.is_set():
        if not _accepts(context):
            await asyncio.sleep(_LOOK_EVERY_S)
            continue
        problem, full = await _try(context.new_sql())
        if not problem:
            context.board.saw("answer")
        context.board.put(connection=NewConnection(problem=problem, full=full))
        await asyncio.sleep(_EVERY_S)


def _accepts(context: AgentContext) -> bool:
    """Return whether postgres accepts connections; in a restore it does not, whatever it says."""
    pgdata = context.settings.pgdata
    server = postmaster(pgdata)
    if server is None or not server.accepts or not context.board.snapshot.init.postgres_pid:
        return False
    return not (server.status == "standby" and restore_state.is_under_way(pgdata))


async def _try(sql: Sql) -> tuple[str, bool]:
    """Connect and ask; return why there is no answer ("" for one), and whether all slots are used.

    A rejection is an answer too, unless postgres starts or stops: a full connection table is no
    reason to take a database out of its Service, where its other clients would lose it too.
    """
    try:
        async with asyncio.timeout(_DEADLINE_S):
            await sql.row(_QUESTION)
    except asyncpg.CannotConnectNowError as raised:
        return redact_known(str(raised)), False
    except asyncpg.TooManyConnectionsError:
        return "", True
    except asyncpg.PostgresError:
        return "", False  # such as a role that cannot log in: the database loop shows it
    except TimeoutError:
        return f"no answer within {_DEADLINE_S:g} s", False
    except (asyncpg.InterfaceError, OSError) as raised:
        return f"{type(raised).__name__}: {raised}", False
    finally:
        sql.drop()
    return "", False
