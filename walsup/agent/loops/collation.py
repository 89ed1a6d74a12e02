"""Compares the collation versions that indexes were built with to those of this system.

Another version may sort differently: an index that was built with the old one then misses rows
and accepts duplicates. Checked once after every start; walsup does not refresh versions.
"""

import asyncio

from walsup import log, units
from walsup.agent.context import AgentContext
from walsup.agent.recovery.every_database import ask_all
from walsup.agent.subject import Subject
from walsup.archive.faults import Fault, FaultKind
from walsup.postgres.sql.connection import UNANSWERED
from walsup.postgres.sql.quoting import shown

_RETRY_S = 10.0
_PER_DATABASE_SINCE = 150000
# A missing version (musl has none) is another version, unless both are missing.
_COLLATIONS = """
select n.nspname, c.collname, c.collversion, here
  from pg_catalog.pg_collation c
  join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) c.collnamespace
 cross join lateral pg_catalog.pg_collation_actual_version(c.oid) here
 where ((c.collversion is null) operator(pg_catalog.<>) (here is null)
        or c.collversion operator(pg_catalog.<>) here)
   and (n.nspname operator(pg_catalog.<>) 'pg_catalog'
        or exists (select from pg_catalog.pg_depend d
                    where d.refclassid operator(pg_catalog.=)
                          'pg_catalog.pg_collation'::pg_catalog.regclass
                      and d.refobjid operator(pg_catalog.=) c.oid))
 limit 100
"""
# Not template0, whose version initdb leaves unset on purpose: no session can sort in it.
_DEFAULT = """
select d.datname, d.datcollversion, here
  from pg_catalog.pg_database d
 cross join lateral pg_catalog.pg_database_collation_actual_version(d.oid) here
 where d.datallowconn
   and ((d.datcollversion is null) operator(pg_catalog.<>) (here is null)
        or d.datcollversion operator(pg_catalog.<>) here)
"""
_VERSION = "select pg_catalog.current_setting('server_version_num')"


async def collation(context: AgentContext) -> None:
    """Look when the database is ready, until there is an answer."""
    while not context.signals.stopping.is_set():
        database = context.board.snapshot.database
        if not database.observed or database.role != "primary":
            await asyncio.sleep(1.0)
            continue
        try:
            different, unknown = await _different(context)
        except UNANSWERED as raised:
            log.warning("collation.unknown", problem=f"{type(raised).__name__}: {raised}")
            await asyncio.sleep(_RETRY_S)
            continue
        if different:
            context.board.fault(Subject.COLLATION, _fault(different))
        if not unknown:
            return
        log.warning("collation.unknown", problem="; ".join(unknown))
        await asyncio.sleep(_RETRY_S)


async def _different(context: AgentContext) -> tuple[list[str], list[str]]:
    """Return what has another version here, and the databases that could not be asked, and why."""
    different, unknown = [], []
    (version,) = await context.sql.row(_VERSION)
    if int(version) >= _PER_DATABASE_SINCE:
        different += [
            f"the default of database {name} ({old or 'no version'}, here {new or 'no version'})"
            for name, old, new in await context.sql.rows(_DEFAULT)
        ]
    async for database, rows, problem in ask_all(context, _COLLATIONS):
        different += [
            f"{shown(schema)}.{shown(name)} of {database}"
            f" ({old or 'no version'}, here {new or 'no version'})"
            for schema, name, old, new in rows
        ]
        if problem:
            unknown.append(f"{database}: {problem}")
    return different, unknown


def _fault(different: list[str]) -> Fault:
    return Fault(
        kind=FaultKind.COLLATION,
        problem="text was sorted with another version of the collation: "
        + units.abbreviate(different),
    )
