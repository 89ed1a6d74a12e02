"""Records what standbys acknowledge: it lets a primary without a renewed lease go on writing."""

import asyncio
from collections.abc import Sequence

from walsup import units
from walsup.agent.context import AgentContext
from walsup.agent.subject import Subject
from walsup.archive.faults import Fault, FaultKind
from walsup.archive.ownership.lease import now_s
from walsup.postgres.sql.connection import UNANSWERED, Sql
from walsup.postgres.standby_signal import SLOTS

_EVERY_S = 1.0
_IN_A_LEASE = 3
_ENDS_BELOW_LEASES = 0.5
# It does not wait for a standby: synchronous_commit applies to this one statement.
_WRITE = (
    "select pg_catalog.set_config('synchronous_commit', 'local', true),"
    " pg_catalog.pg_logical_emit_message(true, 'walsup', 'is a standby there?')"
)
_POSITION = "select pg_catalog.pg_current_wal_flush_lsn()"
_STANDBYS = (
    "select application_name, flush_lsn from pg_catalog.pg_stat_replication"
    " where state OPERATOR(pg_catalog.=) 'streaming' and flush_lsn is not null"
    " and pg_catalog.starts_with(application_name, $1)"
)


async def standby_acknowledgements(context: AgentContext) -> None:
    """Look three times in a lease, on a primary that a deadline may end."""
    if context.session.write_deadline is None:
        await context.signals.stopping.wait()
        return
    settings = context.settings
    sql = Sql(settings.pgdata, settings.database_role, settings.pgpassword)
    while not context.signals.sweeping.is_set():
        database = context.board.snapshot.database
        if database.accepting and database.role == "primary":
            try:
                await _look(context, sql)
            except UNANSWERED:
                sql.drop()  # nothing acknowledged: the deadline stays where it is
        await asyncio.sleep(min(_EVERY_S, settings.lease_s / _IN_A_LEASE))
    sql.drop()


async def _look(context: AgentContext, sql: Sql) -> None:
    if (stored := context.session.write_deadline) is None:
        return
    began_s = now_s()
    if stored.deadline.heirs and stored.deadline.is_late(began_s):
        await sql.row(_WRITE)
    (position,) = await sql.row(_POSITION)
    stored.deadline.wrote(began_s, position)
    flushed: dict[str, int] = {}
    for name, lsn in await sql.rows(_STANDBYS, SLOTS):
        flushed[name] = min(lsn, flushed.get(name, lsn))
    stored.streaming = frozenset(flushed)
    stored.deadline.acknowledged(flushed)
    stored.write()
    is_shown = Subject.STANDBY_LAG in context.board.snapshot.attention
    late = stored.deadline.lagging(now_s(), _ENDS_BELOW_LEASES if is_shown else 1.0)
    context.board.attend(
        Subject.STANDBY_LAG, _lags(late, context.settings.lease_s) if late else None
    )


def _lags(names: Sequence[str], lease_s: float) -> Fault:
    lease = units.show_duration(lease_s)
    return Fault(
        kind=FaultKind.NOT_FOLLOWING,
        problem=f"standby {', '.join(names)} lacks WAL that was written more than a lease ({lease})"
        " ago: if S3 stops answering now, walsup stops this primary although the standby streams",
        remedy="find out why its disk or its network is slow (flush_lag in pg_stat_replication), or"
        " set a longer WALSUP_LEASE on all instances",
    )
