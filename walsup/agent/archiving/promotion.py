"""From a standby to the primary: nothing is claimed before the new timeline has begun on disk."""

import asyncio
import contextlib

import asyncpg

from walsup.agent.context import AgentContext
from walsup.agent.snapshot import Gate
from walsup.agent.states import GateState
from walsup.postgres import pg_control, standby_signal
from walsup.postgres.pg_control import DBState
from walsup.postgres.wal_files import timeline_history

_LOOK_EVERY_S = 0.05
_ASK_EVERY_S = 0.25


async def until_primary(context: AgentContext) -> None:
    """Wait for as long as this is a standby; does not return when it is stopped as one.

    pg_control has the old timeline until the first checkpoint after a promotion, which postgres
    may delay: walsup requests one at once.
    """
    pgdata = context.settings.pgdata
    if standby_signal.is_standby(pgdata):
        context.board.put(gate=Gate(state=GateState.STANDBY, reason="a standby archives nothing"))
    while standby_signal.is_standby(pgdata):  # noqa: ASYNC110 (files have no event)
        await asyncio.sleep(_LOOK_EVERY_S)
    while (
        not await asyncio.to_thread(_is_settled, context) and not context.signals.sweeping.is_set()
    ):
        with contextlib.suppress(asyncpg.PostgresError, OSError, TimeoutError):
            await context.sql.row("checkpoint")
        await asyncio.sleep(_ASK_EVERY_S)


def _is_settled(context: AgentContext) -> bool:
    """Return whether pg_control knows the timeline on which postgres writes."""
    pgdata, database = context.settings.pgdata, context.board.snapshot.database
    control = pg_control.read(pgdata)
    if control.state is DBState.IN_ARCHIVE_RECOVERY:
        return False
    return control.timeline in (database.timeline, timeline_history.newest(pgdata))
