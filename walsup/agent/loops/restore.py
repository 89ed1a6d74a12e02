"""Runs a restore: answers misses, claims the archive, shows the progress, and ends it."""

import asyncio
import contextlib
import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import asyncpg

from walsup import log, units
from walsup.agent.context import AgentContext
from walsup.agent.database_login import login_fault
from walsup.agent.recovery.low_settings import too_low
from walsup.agent.recovery.miss_handler import MissHandler
from walsup.agent.recovery.subscriptions import disable_subscriptions
from walsup.agent.recovery.timeline_claim import TimelineClaim
from walsup.agent.snapshot import RestoreState
from walsup.agent.startup_retry import fault_of
from walsup.agent.states import RestorePhase
from walsup.agent.subject import Subject
from walsup.agent.tasks import begin
from walsup.archive.catalog.timelines import TimelineHistory, TimelineSpan
from walsup.archive.engine.restore_command import PROGRESS
from walsup.archive.faults import Fault, FaultKind
from walsup.datadir import restore_state
from walsup.datadir.restore_state import Restored
from walsup.errors import SettingsError, WalsupError
from walsup.postgres import pg_control
from walsup.postgres.pg_control import DBState
from walsup.postgres.processes import recovery
from walsup.postgres.sql import replay_progress
from walsup.postgres.sql.connection import UNANSWERED, postmaster
from walsup.postgres.tablespaces import locations
from walsup.postgres.wal import Segment, show_lsn

_LOOK_EVERY_S = 0.05
_SHOW_EVERY_S = 1.0
_LOGGED_EVERY_S = 10.0
_STILL_S = 600.0


async def restore(context: AgentContext) -> None:
    """Wait for a restore in this data directory, and accompany it to its end."""
    while not context.signals.stopping.is_set():
        restored = restore_state.read(context.settings.pgdata)
        if restored is not None and not restored.ended_at:
            break
        if context.board.snapshot.init.postgres_pid and restored is None:
            return  # an ordinary start
        if restored is not None and restored.ended_at and context.board.snapshot.init.postgres_pid:
            context.board.put(restore=_done(restored))
            return
        await asyncio.to_thread(_show_fetch, context)
        await asyncio.sleep(_LOOK_EVERY_S)
    else:
        return
    line = TimelineHistory(
        legs=tuple(
            TimelineSpan(timeline=n, begin_lsn=begin, end_lsn=end)
            for n, begin, end in restored.legs
        )
    )
    claim = TimelineClaim(context, restored, line) if restored.own else None
    works = []
    if handler := await _miss_handler(context, restored, line, claim):
        works.append(begin("restore_command", handler.serve))
    if claim is not None:
        works.append(begin("claim", claim.run))
    try:
        await _until_promoted(context, restored)
    finally:
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)
    if not context.signals.stopping.is_set():
        context.board.put(
            restore=replace(context.board.snapshot.restore, phase=RestorePhase.PROMOTED)
        )
        await _until_on_new_timeline(context, restored)
        if not restored.own:
            await _become_own(context)
        await asyncio.to_thread(_end, context, restored)


async def _miss_handler(
    context: AgentContext, restored: Restored, line: TimelineHistory, claim: TimelineClaim | None
) -> MissHandler | None:
    """Return the handler once the source's keys can be read; None: it is no longer needed."""
    while (
        restore_state.is_recovering(context.settings.pgdata)
        and not context.signals.stopping.is_set()
    ):
        try:
            handler = MissHandler(context, restored, line, claim)
        except SettingsError as wrong:
            context.board.fault(Subject.RESTORE, fault_of(wrong))
            await asyncio.sleep(_SHOW_EVERY_S)
        else:
            context.board.clear(Subject.RESTORE)
            return handler
    return None


async def _until_promoted(context: AgentContext, restored: Restored) -> None:
    pgdata = context.settings.pgdata
    shown_s = logged_s = moved_s = time.monotonic()
    began, progress = time.monotonic(), RestoreState()
    while not context.signals.stopping.is_set():
        server = postmaster(pgdata)
        if server is not None and server.status == "ready" and _is_promoted(pgdata):
            return
        now_s = time.monotonic()
        if now_s - shown_s >= _SHOW_EVERY_S:
            shown_s = now_s
            before, progress = (
                progress,
                await asyncio.to_thread(_progress, context, restored, now_s - began),
            )
            moved_s = now_s if progress.segment != before.segment else moved_s
            context.board.put(restore=replace(progress, still_s=round(now_s - moved_s)))
            if restored.action == "pause" and await _end_low(context):
                await context.signals.stopping.wait()
                return
            if now_s - logged_s >= _LOGGED_EVERY_S:
                logged_s = now_s
                log.info("restore.progress", **_shown(progress))
        await asyncio.sleep(_LOOK_EVERY_S)


async def _end_low(context: AgentContext) -> bool:
    """End a recovery that has paused because a setting is too low: the next start raises it."""
    if not context.board.snapshot.database.observed:
        return False
    try:
        at = await replay_progress.observe(context.sql)
        low = await asyncio.to_thread(too_low, context.settings.pgdata, at.limits)
    except (*UNANSWERED, WalsupError):
        return False
    if not at.paused or not low:
        return False
    problem = f"recovery is paused before its target: {low}"
    remedy = "start it again: walsup raises the settings that are too low, and recovery continues"
    context.board.fault(Subject.RESTORE, Fault(FaultKind.NOT_FOLLOWING, problem, remedy))
    context.pid1.request_stop(f"{problem}\nHINT: {remedy}", SettingsError.exit_code)
    return True


def _is_promoted(pgdata: Path) -> bool:
    """Return whether recovery has ended; the status "ready" also means a recovery with sessions."""
    signalled = os.path.exists(pgdata / restore_state.SIGNAL)  # noqa: PTH110 (asked twenty times a second)
    return not signalled and pg_control.read(pgdata).state is DBState.IN_PRODUCTION


async def _until_on_new_timeline(context: AgentContext, restored: Restored) -> None:
    """Wait for the checkpoint on the new timeline; after a pause it does not exist yet."""
    while pg_control.read(context.settings.pgdata).timeline <= restored.legs[-1][0]:
        with contextlib.suppress(asyncpg.PostgresError, OSError, TimeoutError):
            await context.sql.row("checkpoint")
        await asyncio.sleep(_SHOW_EVERY_S / 4)


async def _become_own(context: AgentContext) -> None:
    """Disable the subscriptions of a clone, before any start that would run them."""
    while not context.signals.stopping.is_set():
        try:
            await disable_subscriptions(context)
        except UNANSWERED as raised:
            role = context.settings.database_role
            context.board.fault(Subject.RESTORE, login_fault(raised, role, context.settings.pgdata))
            await asyncio.sleep(_SHOW_EVERY_S)
        else:
            return


def _progress(context: AgentContext, restored: Restored, elapsed_s: float) -> RestoreState:
    """Return the progress of recovery, from the title of the startup process."""
    first = Segment.parse(restored.first, restored.segment_size)
    last = Segment.parse(restored.last, restored.segment_size)
    progress = RestoreState(
        phase=RestorePhase.RECOVERING,
        source=restored.source,
        backup=restored.backup,
        target=restored.target,
        total_segments=last.number - first.number + 1,
    )
    name = recovery.segment(context.board.snapshot.init.postgres_pid)
    try:
        at = Segment.parse(name, restored.segment_size)
    except ValueError:
        return progress
    done_segments = max(0, at.number - first.number)
    left_s = (
        elapsed_s / done_segments * (progress.total_segments - done_segments)
        if done_segments
        else None
    )
    return replace(
        progress,
        segment=name,
        lsn=at.start_lsn,
        segments=done_segments,
        percent=min(99, 100 * done_segments // max(1, progress.total_segments)),
        left_s=left_s if left_s is None else max(0.0, round(left_s, 1)),
    )


def _show_fetch(context: AgentContext) -> None:
    """Show the progress of the fetch that prepare has written."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        progress = json.loads((context.run_dir / PROGRESS).read_text(encoding="utf-8"))
        context.board.put(restore=RestoreState(**progress | {"phase": RestorePhase.FETCHING}))


def _shown(progress: RestoreState) -> dict[str, object]:
    return {
        "segment": progress.segment,
        "lsn": show_lsn(progress.lsn),
        "segments": progress.segments,
        "total_segments": progress.total_segments,
        "percent": progress.percent,
        "left_s": progress.left_s,
    }


def _end(context: AgentContext, restored: Restored) -> None:
    """Note that the restore is done: the copy of an archive is a separate database now."""
    pgdata = context.settings.pgdata
    now = time.time()
    ended = restored._replace(ended_at=now, timeline_after=pg_control.read(pgdata).timeline)
    shutil.rmtree(pgdata / "pg_wal" / ".wal-g", ignore_errors=True)
    locations.let_go(pgdata)
    restore_state.write(pgdata, ended)
    context.pid1.explain_exit("", 0)
    context.pid1.no_reader()
    context.board.clear(Subject.RESTORE)
    context.board.clear(Subject.OWNER)
    context.board.put(restore=_done(ended))
    log.info(
        "restore.ended",
        source=ended.source,
        backup=ended.backup,
        target=ended.target,
        ends=ended.ends,
        timeline=ended.timeline_after,
        seconds=round(now - ended.began_at, 1),
        took=units.show_duration(round(now - ended.began_at)),
    )


def _done(restored: Restored) -> RestoreState:
    return RestoreState(
        phase=RestorePhase.DONE,
        source=restored.source,
        backup=restored.backup,
        target=restored.target,
        percent=100,
        ended_at=restored.ended_at,
    )
