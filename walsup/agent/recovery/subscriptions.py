"""What a clone must not do: subscribe where its source subscribes.

Both would take the same changes from the publisher's one slot. No worker runs before this is done:
the clone's first start has max_logical_replication_workers=0.
"""

from walsup import log
from walsup.agent.context import AgentContext

# ALTER SUBSCRIPTION works only inside of the subscription's database, where event triggers of
# others would run as superuser. The catalog is shared, and this is the one column that it changes.
# Source: PostgreSQL 15, subscriptioncmds.c, ALTER_SUBSCRIPTION_ENABLED.
_DISABLE = """
update pg_catalog.pg_subscription s set subenabled = false
  from pg_catalog.pg_database d
 where d.oid operator(pg_catalog.=) s.subdbid and s.subenabled
returning d.datname, s.subname
"""


async def disable_subscriptions(context: AgentContext) -> list[str]:
    """Disable all of them; gives their names.

    Raises:
        asyncpg.PostgresError, OSError, TimeoutError: as they come.
    """
    disabled = await context.sql.rows(_DISABLE)
    for database, name in disabled:
        log.warning("subscription.disabled", name=name, database=database)
    return [str(name) for _, name in disabled]
