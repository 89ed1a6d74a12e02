"""Collation versions: those that indexes were built with, against those of this system.

Another version may sort otherwise, and an index that was built with the old one then misses rows
and lets duplicates in. Looked at once after every start; walsup never refreshes a version itself.
"""

import asyncio

import asyncpg

from walsup import log
from walsup.agent.databases import ask_all
from walsup.agent.world import World
from walsup.archive.fault import Fault

_RETRY_S = 10.0
_SHOWN = 5
_PER_DATABASE_SINCE = 150000
# A version that is not told (musl tells none) is another one, unless neither is told.
_COLLATIONS = """
select quote_ident(n.nspname) || '.' || quote_ident(c.collname), c.collversion,
       pg_collation_actual_version(c.oid)
  from pg_collation c join pg_namespace n on n.oid = c.collnamespace
 where c.collversion is distinct from pg_collation_actual_version(c.oid)
   and (n.nspname <> 'pg_catalog'
        or exists (select from pg_depend d where d.refclassid = 'pg_collation'::regclass
                                             and d.refobjid = c.oid))
"""
# Not template0, whose version initdb leaves unset on purpose: nobody can have sorted in it.
_DEFAULT = """
select datname, datcollversion, pg_database_collation_actual_version(oid)
  from pg_database
 where datallowconn
   and datcollversion is distinct from pg_database_collation_actual_version(oid)
"""


async def collation(world: World) -> None:
    """Look when the database is ready, until there is an answer."""
    while not world.stopping.is_set():
        seen = world.board.snapshot.database
        if not seen.observed or seen.role != "primary":
            await asyncio.sleep(1.0)
            continue
        try:
            different = await _different(world)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as raised:
            log.warning("collation.unknown", problem=f"{type(raised).__name__}: {raised}")
            await asyncio.sleep(_RETRY_S)
            continue
        if different:
            world.board.fault("collation", _fault(different))
        return


async def _different(world: World) -> list[str]:
    found = []
    (version,) = await world.sql.row("select current_setting('server_version_num')::int")
    if version >= _PER_DATABASE_SINCE:
        found += [
            f"the default of database {name} ({old or 'not told'}, here {new or 'not told'})"
            for name, old, new in await world.sql.rows(_DEFAULT)
        ]
    async for database, (name, old, new) in ask_all(world, _COLLATIONS):
        found.append(f"{name} of {database} ({old or 'not told'}, here {new or 'not told'})")
    return found


def _fault(different: list[str]) -> Fault:
    more = f" and {len(different) - _SHOWN} more" if len(different) > _SHOWN else ""
    return Fault(
        kind="collation",
        problem="text was sorted by another version of the collation: "
        + ", ".join(different[:_SHOWN])
        + more,
    )
