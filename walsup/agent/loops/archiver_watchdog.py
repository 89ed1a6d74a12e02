"""What is done when the archive does not move although segments wait.

The archiver sleeps for up to a minute after three failures, whatever gets better: it is woken.
A daemon that does not answer by a deadline is replaced. It is asked only when nothing moves:
a check makes WAL-G's daemon write two lines of error.
"""

import asyncio
import time
from dataclasses import dataclass

from walsup import log, units
from walsup.agent.archiving import engine_daemon
from walsup.agent.archiving.missing_segment import examine
from walsup.agent.context import AgentContext
from walsup.agent.state import Snapshot
from walsup.agent.subject import Subject
from walsup.archive.engine import daemon_client
from walsup.archive.engine.adapter import push_timeout_s
from walsup.archive.faults import Fault, FaultKind
from walsup.postgres.processes import archiver
from walsup.postgres.processes.archiver import Archiver

_EVERY_S = 0.25
_FIRST_PATIENCE_S = 3.0
_LONGEST_PATIENCE_S = 60.0
_CHECK_TIMEOUT_S = 2.0
_EXAMINE_AFTER_S = 5.0
# A killed daemon is back in a moment: one failed push in between is no news.
_SETTLED_AFTER_S = 1.0
_GONE_AFTER_S = 5.0
_ANSWER_S = 1.0
_SILENT_S = 1.0
_COUNTED_WITHIN_S = 2.5  # a push under way ends, and the next sample of the database has it
_ARCHIVER_PATIENCE_S = 5.0
_SAMPLED_S = 0.5
_OVERDUE_S = 1.5  # behind the daemon's own deadline, before the client's
_REPLACE_EVERY_S = 60.0


async def wake(context: AgentContext) -> None:
    """Watch whether the proven end moves while finished segments wait."""
    watcher = _Watcher(context)
    try:
        while not context.signals.stopping.is_set():
            await asyncio.sleep(_EVERY_S)
            await watcher.turn(context.board.snapshot, time.monotonic())
    finally:
        watcher.end()


@dataclass(slots=True, kw_only=True)
class _Episode:
    """A time in which nothing moves: since when, and what was done about it."""

    proven_lsn: int = 0
    failed_count: int = 0
    began_s: float
    woken_s: float
    wakes: int = 0
    examined: int = 0
    examined_s: float = 0.0
    archiver_well_s: float = 0.0


class _Watcher:
    def __init__(self, context: AgentContext) -> None:
        self._context = context
        self._episode = self._new(context.board.snapshot, time.monotonic())
        self._was_faulty = False
        self._faulty_s = 0.0
        self._engine = (0, 0.0)
        self._push = (0, 0.0)
        self._replaced_s = -_REPLACE_EVERY_S
        self._fails_since_s = 0.0
        known = context.settings
        self._push_timeout_s = push_timeout_s(known.push_grace_s, known.lease_s)
        self._examination: asyncio.Task[Fault | None] | None = None
        self._let_go = asyncio.Event()

    def end(self) -> None:
        """End what runs."""
        self._let_go.set()

    async def turn(self, seen: Snapshot, now_s: float) -> None:
        """Look once, and do what is due."""
        better = self._is_better(seen, now_s)
        if seen.gate.state == "open":
            engine_daemon.keep_configuration(self._context)
        else:
            self._let_go.set()
        if not seen.lag.segments or seen.lag.proven_lsn != self._episode.proven_lsn:
            self._episode = self._new(seen, now_s)
            self._context.board.clear(Subject.SEGMENTS)
            self._context.board.clear(Subject.ARCHIVER)
        if seen.gate.state != "open" or not seen.lag.segments:
            return
        self._look_at_archiver(seen, now_s)
        patience_s = units.backoff(self._episode.wakes + 1, _FIRST_PATIENCE_S, _LONGEST_PATIENCE_S)
        stuck = now_s - self._episode.woken_s > patience_s
        if better or stuck:
            self._episode.wakes += 1
            self._episode.woken_s = now_s
            await self._wake(seen, "better" if better else "no progress")
        if Subject.BUCKET not in seen.faults:
            self._say_why(seen, now_s)

    def _new(self, seen: Snapshot, now_s: float) -> _Episode:
        return _Episode(
            proven_lsn=seen.lag.proven_lsn,
            failed_count=seen.database.failed_count,
            began_s=now_s,
            woken_s=now_s,
            archiver_well_s=now_s,
        )

    def _is_better(self, seen: Snapshot, now_s: float) -> bool:
        """Tell whether something is well again that was not: the bucket, or the daemon."""
        faulty = Subject.BUCKET in seen.faults
        better = self._was_faulty and not faulty
        self._was_faulty = faulty
        self._faulty_s = now_s if faulty else self._faulty_s
        pid = seen.init.engine_pid
        if pid and pid != self._engine[0]:
            better = better or self._engine[0] != 0
            self._engine = (pid, now_s)
        return better

    async def _wake(self, seen: Snapshot, reason: str) -> None:
        hung = seen.init.engine_pid and not await daemon_client.answers(
            self._context.engine_socket, _CHECK_TIMEOUT_S
        )
        if hung and engine_daemon.replace(
            self._context, f"no answer within {_CHECK_TIMEOUT_S:g} s"
        ):
            return  # its new pid is what gets better
        if Subject.BUCKET not in seen.faults:
            log.info("archiver.woken", reason=reason)
            self._context.pid1.reload()

    def _look_at_archiver(self, seen: Snapshot, now_s: float) -> None:
        found = archiver.find(seen.init.postgres_pid) if seen.init.postgres_pid else None
        if found is not None and not found.stopped:
            self._episode.archiver_well_s = now_s
            self._context.board.clear(Subject.ARCHIVER)
        elif (
            now_s - self._episode.archiver_well_s > _ARCHIVER_PATIENCE_S
            and seen.database.observed
            and seen.database.role == "primary"
        ):
            self._context.board.fault(Subject.ARCHIVER, _archiver_fault(found))
        push = found.push if found else 0
        if push != self._push[0]:
            lasted_s = now_s - self._push[1]
            timed_out = self._push[0] != 0 and lasted_s >= self._push_timeout_s - _SAMPLED_S
            self._push = (push, now_s)
            if timed_out and Subject.BUCKET not in seen.faults:
                # WAL-RUS's daemon would let the next push wait for the one that hangs.
                engine_daemon.replace(
                    self._context, f"a push has not ended within {lasted_s:.0f} s"
                )
        deadline_s = self._push_timeout_s + _OVERDUE_S
        overdue = push != 0 and now_s - self._push[1] > deadline_s
        stopped = found is not None and found.stopped != ""
        if overdue and not stopped and now_s - self._replaced_s > _REPLACE_EVERY_S:
            self._replaced_s = now_s
            engine_daemon.replace(self._context, f"a push has taken longer than {deadline_s:g} s")

    def _say_why(self, seen: Snapshot, now_s: float) -> None:
        """Show at once that pushes fail, and then what was found out about it."""
        episode = self._episode
        if now_s - self._faulty_s < _COUNTED_WITHIN_S:
            # Failures of a bucket that is well again would be told as the engine's.
            episode.failed_count = seen.database.failed_count
        there = seen.init.engine_pid != 0 or not seen.gate.daemon
        settled_after_s = _SETTLED_AFTER_S if there else _GONE_AFTER_S
        failing = (
            seen.database.failed_count > episode.failed_count
            and now_s - self._engine[1] > settled_after_s
        )
        if not failing:
            self._fails_since_s = now_s
        elif now_s - self._fails_since_s > _ANSWER_S and Subject.SEGMENTS not in seen.faults:
            # What an engine of our own says would have been better; it takes its time.
            asked_s = self._context.session.asked_s
            silent_s = max(now_s - (asked_s or now_s), self._context.session.answered_in_s)
            self._context.board.fault(Subject.SEGMENTS, _failing_fault(seen, silent_s))
        if self._examination is not None:
            if not self._examination.done():
                return
            fault = self._examination.result()
            self._examination = None
            if fault is not None and episode.examined:
                self._context.board.fault(Subject.SEGMENTS, fault)
        pause_s = units.backoff(episode.examined, _EXAMINE_AFTER_S, _LONGEST_PATIENCE_S)
        due_s = episode.examined_s + pause_s if episode.examined else episode.began_s
        if not episode.examined and not failing:
            due_s += _EXAMINE_AFTER_S
        if now_s >= due_s:
            episode.examined += 1
            episode.examined_s = now_s
            self._let_go = asyncio.Event()
            self._examination = asyncio.create_task(
                examine(self._context, self._let_go, failing=failing)
            )


def _failing_fault(seen: Snapshot, silent_s: float) -> Fault:
    """Give what is known at once; `silent_s`: how long a listing took, or takes."""
    database = seen.database
    failing = f"pushing {database.last_failed_wal or 'a segment'} fails"
    if silent_s > _SILENT_S:
        return Fault(
            kind=FaultKind.TIMEOUT,
            problem=f"{failing}, and a listing takes {silent_s:.0f} s and more",
        )
    return Fault(
        kind=FaultKind.ENGINE_BROKEN,
        problem=f"{failing}, and the bucket can be read; failed so far: {database.failed_count}",
    )


def _archiver_fault(found: Archiver | None) -> Fault:
    if found is None:
        return Fault(
            kind=FaultKind.ENGINE_BROKEN,
            problem="segments wait, and postgres has no archiver process",
            remedy="wait a minute, postgres starts it again; else see postgres's log and that"
            " archive_mode is on",
        )
    return Fault(
        kind=FaultKind.ENGINE_BROKEN,
        problem=f"segments wait, and {found.stopped} has been stopped by a signal",
        remedy="find out who stopped it, and let it go on: kill -CONT (walsup signals only what it"
        " has started itself)",
    )
