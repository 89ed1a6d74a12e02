"""What a clone must not do: subscribe where its source subscribes.

Both would take the same changes from the publisher's one slot. No worker runs before this is done:
the clone's first start has max_logical_replication_workers=0.
"""

from walsup import log
from walsup.agent.databases import ask_all
from walsup.agent.world import World

_ENABLED = """
select quote_ident(s.subname)
  from pg_subscription s join pg_database d on d.oid = s.subdbid
 where s.subenabled and d.datname = current_database()
"""


async def disable_subscriptions(world: World) -> list[str]:
    """Disable all of them; gives their names.

    Raises:
        asyncpg.PostgresError, OSError, TimeoutError: as they come.
    """
    found = [(database, name) async for database, (name,) in ask_all(world, _ENABLED)]
    done = []
    for database, name in found:
        sql = world.sql_of(database)
        try:
            await sql.row(f"alter subscription {name} disable")
        finally:
            sql.drop()
        log.warning("subscription.disabled", name=name, database=database)
        done.append(name)
    return done
