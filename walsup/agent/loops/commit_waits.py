"""Checks whether commits wait for a missing synchronous standby."""

import asyncio
import contextlib
import time

from walsup.agent.archiving.sync_waits import CommitWait, SyncWaits, Waits
from walsup.agent.context import AgentContext
from walsup.agent.subject import Subject
from walsup.postgres.sql.connection import UNANSWERED

_EVERY_S = 5.0

_WAITING = """
select a.pid, a.query_start, a.xact_start, a.backend_xid
  from pg_catalog.pg_stat_activity a
 where a.wait_event operator(pg_catalog.=) 'SyncRep'
 limit 1000
"""
_STANDBYS = """
select r.application_name, r.sync_state
  from pg_catalog.pg_stat_replication r
 where r.state operator(pg_catalog.=) 'streaming'
 limit 100
"""
_MAY_CONFIRM = ("sync", "quorum")
_NAMES = "select pg_catalog.current_setting('synchronous_standby_names')"


async def commits(context: AgentContext) -> None:
    """Look every five seconds, on a primary."""
    waits = SyncWaits()
    while not context.signals.stopping.is_set():
        database = context.board.snapshot.database
        if database.observed and database.role == "primary":
            # The database's own loop says what is wrong with its sessions.
            with contextlib.suppress(*UNANSWERED):
                context.board.attend(
                    Subject.COMMITS, waits.look(await _look(context), time.monotonic())
                )
        elif database.observed:
            context.board.attend(Subject.COMMITS, None)
        await asyncio.sleep(_EVERY_S)


async def _look(context: AgentContext) -> Waits:
    (names,) = await context.sql.row(_NAMES)
    if not names:
        return Waits("", (), ())
    waiting = tuple(CommitWait(*found) for found in await context.sql.rows(_WAITING))
    standbys = await context.sql.rows(_STANDBYS)
    return Waits(
        names,
        tuple(name for name, _ in standbys),
        waiting,
        synchronous=sum(state in _MAY_CONFIRM for _, state in standbys),
    )
