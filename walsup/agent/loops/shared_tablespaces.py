"""Finds tablespaces that two servers on one machine would share, by a lock on each directory.

The agent of a running server locks the directories of its tablespaces. A standby replays at once
what it receives, and its primary may have created a tablespace in the same directory: replay is
paused when a tablespace appears, until it is known that the primary does not hold the lock.
"""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

from walsup import log
from walsup.agent.context import AgentContext
from walsup.agent.recovery.replay_pause import ReplayPause
from walsup.agent.recovery.tablespace_directories import Link, TablespaceLocks, unkept
from walsup.agent.subject import Subject
from walsup.archive.faults import Fault, FaultKind
from walsup.errors import DataDirectoryError
from walsup.postgres import standby_signal
from walsup.postgres.processes import recovery
from walsup.postgres.tablespaces import locations

_EVERY_S = 0.2
_STANDBY_EVERY_S = 0.05
_PATIENCE_S = 1.2  # several rounds of the primary's agent; less than a stopped process may take


async def tablespaces(context: AgentContext) -> None:
    """Look several times a second, while postgres runs."""
    pgdata, held = context.settings.pgdata, TablespaceLocks(context.settings.pgdata)
    pause = ReplayPause(context.run_dir, pgdata)
    before: frozenset[Link] | None = None
    try:
        while not context.signals.stopping.is_set():
            if not context.board.snapshot.init.postgres_pid:
                before = None
                await asyncio.sleep(_EVERY_S)
                continue
            held.hold_wal()
            links = frozenset(locations.links(pgdata))
            is_standby = standby_signal.is_standby(pgdata)
            # The previous agent ended while it checked: replay is still paused.
            begun = pause.recorded() if is_standby and before is None else frozenset()
            fresh = links - before if before is not None else begun
            if is_standby and fresh:
                shared = await _find_shared(context, held, links, fresh, pause)
            else:
                shared = held.hold(links)
            if links != before:
                context.board.attend(Subject.TABLESPACES, unkept(pgdata, links))
            before = links
            if shared and is_standby:
                await _end(context, shared[0], is_new=shared[0] in fresh)
                return
            _show(context, shared)
            await asyncio.sleep(_STANDBY_EVERY_S if is_standby else _EVERY_S)
    finally:
        held.release()


async def _find_shared(
    context: AgentContext,
    held: TablespaceLocks,
    links: frozenset[Link],
    fresh: frozenset[Link],
    pause: ReplayPause,
) -> list[Link]:
    """Return the new ones that another server holds; replay is paused until that is known."""
    pgdata, postgres_pid = context.settings.pgdata, context.board.snapshot.init.postgres_pid
    is_paused = bool(pause.recorded())
    if not is_paused and all(locations.is_claimed(pgdata, place) for _, place in fresh):
        return held.hold(links)
    sql = context.new_sql()
    context.checks_tablespaces = True
    try:
        is_paused = is_paused or await pause.begin(sql, fresh)
        await asyncio.sleep(_PATIENCE_S)
        shared = held.hold(links)
        while is_paused and not shared and not await pause.end(sql):
            if context.board.snapshot.init.postgres_pid != postgres_pid:
                break
            await asyncio.sleep(_EVERY_S)
        return shared
    finally:
        context.checks_tablespaces = False
        sql.drop()


async def _end(context: AgentContext, shared: Link, *, is_new: bool) -> None:
    """End a standby before it writes more into its primary's files.

    A shutdown would write out what it has replayed; without its startup process postgres ends at
    once. `is_new`: its creation has just been replayed; without the link the next start replays
    that record again. The link of an older tablespace would not be created again.
    """
    number, place = shared
    fault = _fault(number, place)
    context.board.fault(Subject.TABLESPACES, fault)
    context.pid1.explain_exit(f"{fault.problem}\nHINT: {fault.cure}", DataDirectoryError.exit_code)
    if pid := recovery.startup_pid(context.board.snapshot.init.postgres_pid):
        log.error("standby.ended", problem=fault.problem, startup_pid=pid)
        os.kill(pid, signal.SIGKILL)
        if is_new:
            with contextlib.suppress(OSError):
                (context.settings.pgdata / "pg_tblspc" / number).unlink()


def _show(context: AgentContext, shared: list[Link]) -> None:
    if shared:
        context.board.fault(Subject.TABLESPACES, _fault(*shared[0]))
    else:
        context.board.clear(Subject.TABLESPACES)


def _fault(number: str, place: Path) -> Fault:
    return Fault(
        kind=FaultKind.TABLESPACE,
        problem=f"the directory {place} of tablespace {number} is in use by another server on this"
        " machine",
        remedy=f"mount a separate volume for each server at {place}: a standby, or a copy of a data"
        " directory, must not use the tablespace directories of its original",
    )
