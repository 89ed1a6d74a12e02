"""Runs a standby: answers its restore_command, and watches how far it follows its primary."""

import asyncio
import contextlib
import time
from dataclasses import replace
from functools import partial

from walsup import log
from walsup.agent.archiving.unarchived_slot import UnarchivedSlot
from walsup.agent.context import AgentContext
from walsup.agent.recovery.low_settings import too_low
from walsup.agent.recovery.miss_socket import serve
from walsup.agent.snapshot import Standby
from walsup.agent.standby import slot
from walsup.agent.standby.demotion import UnconfirmedPrimary
from walsup.agent.standby.followed_timeline import Followed
from walsup.agent.standby.miss_answers import MissAnswers
from walsup.agent.standby.replay_stall import Standstill
from walsup.agent.standby.stream_progress import ReplayProgress
from walsup.agent.states import StandbyPhase
from walsup.agent.subject import Subject
from walsup.agent.tasks import begin
from walsup.archive.storage.bucket import Bucket
from walsup.archive.storage.fault_mapping import classify, note
from walsup.datadir import markers
from walsup.errors import WalsupError
from walsup.postgres import pg_control, standby_signal
from walsup.postgres.processes import recovery
from walsup.postgres.sql import replay_progress
from walsup.postgres.sql.connection import UNANSWERED, postmaster
from walsup.postgres.sql.replay_progress import Replay
from walsup.postgres.tablespaces import locations
from walsup.postgres.wal_files import timeline_history

_OF_A_STANDBY = (
    Subject.ARCHIVE,
    Subject.BUCKET,
    Subject.KEPT,
    Subject.REPLAY,
    Subject.STANDBY,
    Subject.ROLE,
)
_LOOK_EVERY_S = 0.05
_SAMPLE_EVERY_S = 1.0
_ARCHIVE_EVERY_S = 3.0
_SLOT_EVERY_S = 5.0
_PATIENCE_S = 5.0


async def standby(context: AgentContext) -> None:
    """Accompany a standby until it is promoted; return at once on a primary."""
    pgdata = context.settings.pgdata
    while not context.board.snapshot.init.postgres_pid:
        if context.signals.stopping.is_set():
            return
        await asyncio.sleep(_LOOK_EVERY_S)
    if not standby_signal.is_standby(pgdata):
        return
    streams = context.settings.primary_conninfo is not None
    context.board.put(standby=Standby(phase=StandbyPhase.FOLLOWING, streams=streams))
    works = [begin("standby replay", lambda: _sample(context))]
    answers = None
    if context.session.bucket is not None and context.settings.role != "primary":
        archive = str(context.settings.archive)
        followed = Followed(
            segment_bytes=pg_control.read(pgdata).segment_size,
            epoch=markers.known_epoch(pgdata, archive),
            remember=lambda epoch: markers.remember_epoch(pgdata, archive, epoch),
        )
        answers = MissAnswers(context, followed, context.session.bucket.region)
        await asyncio.to_thread(answers.sweep)
        answer, admit = answers.answer, answers.admit
        works.append(
            begin("restore_command", lambda: serve(context.run_dir, pgdata, answer, admit))
        )
        works.append(begin("standby archive", partial(_look, context, answers, followed)))
    try:
        await _until_promoted(context)
    finally:
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)
    if context.signals.stopping.is_set():
        return
    if answers is not None:
        await asyncio.to_thread(answers.end)
    context.pid1.no_reader()
    markers.forget_promotion(pgdata)
    timeline_history.remove_taken(pgdata)
    await asyncio.to_thread(locations.let_go, pgdata)
    for subject in _OF_A_STANDBY:
        context.board.clear(subject)
    context.board.put(standby=replace(context.board.snapshot.standby, phase=StandbyPhase.PROMOTED))
    log.info("standby.promoted")


async def _until_promoted(context: AgentContext) -> None:
    pgdata = context.settings.pgdata
    while not context.signals.stopping.is_set():
        server = postmaster(pgdata)
        if (
            server is not None
            and server.status == "ready"
            and not standby_signal.is_standby(pgdata)
        ):
            return
        await asyncio.sleep(_LOOK_EVERY_S)


async def _sample(context: AgentContext) -> None:
    """Ask postgres every second where its WAL comes from, how far it is, and whether it moves."""
    asked_s, slot_problem, progress = -_SLOT_EVERY_S, None, ReplayProgress()
    while True:
        await asyncio.sleep(_SAMPLE_EVERY_S)
        if not context.board.snapshot.database.observed:
            continue
        with contextlib.suppress(*UNANSWERED):
            at = await replay_progress.observe(context.sql)
            at = at._replace(paused=at.paused and not context.checks_tablespaces)
            if not at.streaming and time.monotonic() - asked_s > _SLOT_EVERY_S:
                asked_s = time.monotonic()
                slot_problem = _say(slot_problem, await slot.make(context))
            fallback = "archive" if context.session.bucket is not None else "nowhere"
            context.board.put(
                standby=replace(
                    context.board.snapshot.standby,
                    source="streaming" if at.streaming else fallback,
                    replay_lsn=at.replay_lsn,
                    primary_lsn=at.primary_lsn,
                    paused=at.paused,
                    apply_delay_s=at.apply_delay_s,
                    endless=at.endless,
                    still_s=progress.still_s(at.replay_lsn, time.monotonic()),
                )
            )
            context.board.saw("replay")
            low = await asyncio.to_thread(_low, context, at) if at.paused else ""
            fault = progress.look(context.board.snapshot.standby, at, time.monotonic(), low=low)
            if fault is not None:
                context.board.fault(Subject.REPLAY, fault)
            else:
                context.board.clear(Subject.REPLAY)


def _low(context: AgentContext, at: Replay) -> str:
    with contextlib.suppress(WalsupError):
        return too_low(context.settings.pgdata, at.limits)
    return ""


def _say(before: str | None, now: str | None) -> str | None:
    if now != before and now is not None:
        log.info("slot.asked_for", problem=now)
    return now


async def _look(context: AgentContext, answers: MissAnswers, followed: Followed) -> None:
    """List the archive every few seconds: where it ends, and whether it answers."""
    slot, standstill, unconfirmed = (
        UnarchivedSlot(context),
        Standstill(),
        UnconfirmedPrimary(context),
    )
    while True:
        bucket: Bucket = answers.source.bucket
        began_at = time.time()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await followed.look(bucket)
        except Exception as raised:  # noqa: BLE001 (whatever the client raises is a fault)
            fault = classify(raised)
            context.board.fault(Subject.BUCKET, fault)
            await answers.source.heed(fault)
        else:
            context.board.clear(Subject.BUCKET)
            context.board.saw("bucket")
            await unconfirmed.look(bucket)
            if followed.mark is not None:
                state = context.board.snapshot.standby
                awaited = recovery.awaited(context.board.snapshot.init.postgres_pid)
                at_end = followed.is_read(state.replay_lsn, awaited)
                state = replace(state, archived_lsn=followed.mark.end_lsn, at_end=at_end)
                context.board.put(standby=replace(state, looked_at=began_at))
                gap = await _gap(followed, bucket, state)
                if stalled := standstill.look(state, time.monotonic(), gap=gap):
                    context.board.fault(Subject.STANDBY, stalled)
                else:
                    context.board.clear(Subject.STANDBY)
                await slot.upto(followed.mark.end_lsn)
        await asyncio.sleep(_ARCHIVE_EVERY_S)


async def _gap(followed: Followed, bucket: Bucket, state: Standby) -> str:
    """Return which segment is missing before later ones if only the archive has WAL, else ""."""
    if not state.at_end or state.source == "streaming":
        return ""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            return await followed.gap(bucket)
    except Exception as raised:  # noqa: BLE001 (the listing before it shows the bucket's fault)
        note(raised)
        return ""
