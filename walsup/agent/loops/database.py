"""Samples the database over SQL: position, role, and the statistics of its archiver."""

import asyncio
import os
import time

import asyncpg

from walsup import units
from walsup.agent.context import AgentContext
from walsup.agent.database_login import login_fault
from walsup.agent.snapshot import DatabaseState, Waiting
from walsup.agent.subject import Subject
from walsup.datadir import restore_state
from walsup.postgres.sql.connection import UNANSWERED, postmaster

_EVERY_S = 1.0
_WAITING_EVERY_S = 5.0
# Counting 100,000 files blocks the interpreter for a moment: at most a twentieth of the time.
_WAITING_SHARE = 20
_WAITING_CHEAP_S = 0.005

# One statement, cheap at any size: pg_stat_archiver takes under 1 ms.
_OBSERVE = """
select r, case when r then pg_catalog.pg_last_wal_replay_lsn()
               else pg_catalog.pg_current_wal_lsn() end,
       case when r then ''
            else pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()) end,
       pg_catalog.txid_snapshot_xmax(s), pg_catalog.txid_snapshot_xmin(s), a.failed_count,
       coalesce(a.last_failed_wal, ''), pg_catalog.current_setting('archive_timeout')
  from pg_catalog.pg_is_in_recovery() r
 cross join pg_catalog.txid_current_snapshot() s
 cross join pg_catalog.pg_stat_archiver a
"""


async def database(context: AgentContext) -> None:
    """Sample the server every second; readiness follows postmaster.pid and SQL."""
    ready = False
    count_due_s = count_took_s = 0.0
    while True:
        asked_s = time.monotonic()
        observed = await _observe(context)
        context.board.put(database=observed)
        if observed.accepting and not ready and context.settings.archive:
            # After a start archive_timeout is ignored for up to 5 minutes, until a reload.
            context.pid1.reload()
        ready = observed.accepting
        if context.session.meter and observed.accepting and observed.timeline:
            if observed.timeline > context.session.meter.mark.timeline:
                context.session.follow_history(observed.timeline)
            context.session.meter.sample(
                time.monotonic(),
                observed.current_lsn,
                observed.timeline,
                observed.xmax,
                observed.xmin,
                asked_s=asked_s,
            )
        if time.monotonic() >= count_due_s or not (ready or count_took_s > _WAITING_CHEAP_S):
            began_s = time.monotonic()
            context.board.put(waiting=await asyncio.to_thread(_count, context))
            count_took_s = time.monotonic() - began_s
            pause_s = max(_WAITING_EVERY_S, _WAITING_SHARE * count_took_s)
            count_due_s = time.monotonic() + pause_s
        await asyncio.sleep(_EVERY_S if ready else 0.1)


async def _observe(context: AgentContext) -> DatabaseState:
    server = postmaster(context.settings.pgdata)
    if server is None or not server.accepts or not context.board.snapshot.init.postgres_pid:
        context.sql.drop()
        return DatabaseState()
    if server.status == "standby" and restore_state.is_under_way(context.settings.pgdata):
        # The status is the same in a recovery without sessions (hot_standby=off), and a rejected
        # login ten times a second would slow recovery by a tenth.
        return DatabaseState()
    accepting = DatabaseState(
        accepting=True, role="standby" if server.status == "standby" else "primary"
    )
    try:
        standby, lsn, walfile, xmax, xmin, failed, last_failed, timeout = await context.sql.row(
            _OBSERVE
        )
    except asyncpg.CannotConnectNowError:
        context.sql.drop()
        return DatabaseState()
    except UNANSWERED as raised:
        if not context.signals.stopping.is_set():
            role = context.settings.database_role
            context.board.fault(
                Subject.DATABASE, login_fault(raised, role, context.settings.pgdata)
            )
        return accepting
    context.board.clear(Subject.DATABASE)
    return DatabaseState(
        accepting=True,
        role="standby" if standby else "primary",
        current_lsn=lsn or 0,
        timeline=int(walfile[:8], 16) if walfile else 0,
        xmax=xmax,
        xmin=xmin,
        failed_count=failed,
        last_failed_wal=last_failed,
        observed=True,
        archive_timeout_s=round(units.duration(timeout)),
    )


def _count(context: AgentContext) -> Waiting:
    pg_wal = context.settings.pgdata / "pg_wal"
    ready, oldest = 0, ""
    try:
        with os.scandir(pg_wal / "archive_status") as entries:
            for entry in entries:
                if entry.name.endswith(".ready"):
                    ready += 1
                    oldest = min(oldest or entry.name, entry.name)
        age_s = 0.0
        if oldest:
            age_s = max(0.0, time.time() - (pg_wal / "archive_status" / oldest).stat().st_mtime)
        disk = os.statvfs(pg_wal)
    except OSError:
        return Waiting()
    return Waiting(
        ready=ready,
        oldest=oldest.removesuffix(".ready"),
        oldest_age_s=age_s,
        free_bytes=disk.f_bavail * disk.f_frsize,
    )
