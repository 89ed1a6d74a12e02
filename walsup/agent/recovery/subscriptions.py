"""Disables the subscriptions of a clone, which must not subscribe where its source subscribes.

Both would take the same changes from the publisher's one slot. No worker runs before:
the clone's first start has max_logical_replication_workers=0.
"""

from walsup import log
from walsup.agent.context import AgentContext

# ALTER SUBSCRIPTION works only inside the subscription's database, where event triggers of users
# would run as superuser. The catalog is shared, and the command changes only this column.
# Source: PostgreSQL 15, subscriptioncmds.c, ALTER_SUBSCRIPTION_ENABLED.
_DISABLE = """
update pg_catalog.pg_subscription s set subenabled = false
  from pg_catalog.pg_database d
 where d.oid operator(pg_catalog.=) s.subdbid and s.subenabled
returning d.datname, s.subname
"""


async def disable_subscriptions(context: AgentContext) -> list[str]:
    """Disable all of them; return their names.

    Raises:
        asyncpg.PostgresError, OSError, TimeoutError: postgres cannot be asked.
    """
    disabled = await context.sql.rows(_DISABLE)
    for database, name in disabled:
        log.warning("subscription.disabled", name=name, database=database)
    return [str(name) for _, name in disabled]
