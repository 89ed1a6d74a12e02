"""Detects that pushes fail, and says when to examine the reason. Pure.

What is known is shown at once; an examination, which may push the segment itself, finds the reason.
"""

from walsup import units
from walsup.agent.archiving.watchdog_actions import (
    Action,
    ClearFault,
    Examine,
    Progress,
    ShowFault,
    segments_wait,
)
from walsup.agent.snapshot import Snapshot
from walsup.agent.subject import Subject
from walsup.archive.faults import Fault, FaultKind

EXAMINE_AFTER_S = 5.0
LONGEST_PAUSE_S = 60.0
# PID 1 restarts a killed daemon at once: one failed push in between is no fault.
SETTLED_AFTER_S = 1.0
GONE_AFTER_S = 5.0
ANSWER_S = 1.0
SILENT_S = 1.0
COUNTED_WITHIN_S = 2.5  # a running push ends, and the next sample of the database counts it


class FailingPushes:
    """Shows the fault of the segments, and has it examined after a pause that doubles."""

    def __init__(self, snapshot: Snapshot, now_s: float) -> None:
        self._progress = Progress(snapshot)
        self._failed_count = snapshot.database.failed_count
        self._began_s = now_s
        self._examined = 0
        self._examined_s = 0.0
        self._finding: Fault | None = None
        self._bucket_faulty_s = 0.0
        self._engine = (0, 0.0)
        self._fails_since_s = 0.0

    def step(
        self,
        snapshot: Snapshot,
        now_s: float,
        *,
        listing_s: float = 0.0,
        examining: bool = False,
        finding: Fault | None = None,
    ) -> list[Action]:
        """Return what to show and do about the segments.

        `listing_s`: how long a listing takes, or has taken. `examining`: whether an examination is
        under way. `finding`: the fault with which one has just ended.
        """
        self._note(snapshot, now_s)
        actions: list[Action] = []
        if self._progress.has_moved(snapshot):
            self._failed_count = snapshot.database.failed_count
            self._began_s = now_s
            self._examined, self._finding = 0, None
            actions.append(ClearFault(Subject.SEGMENTS))
        elif self._examined:
            self._finding = finding or self._finding
        if segments_wait(snapshot) and Subject.BUCKET not in snapshot.faults:
            actions += self._say_why(snapshot, now_s, listing_s=listing_s, examining=examining)
        return actions

    def _note(self, snapshot: Snapshot, now_s: float) -> None:
        """Note since when the bucket answers, and since when this daemon runs."""
        if Subject.BUCKET in snapshot.faults:
            self._bucket_faulty_s = now_s
        pid = snapshot.init.engine_pid
        if pid and pid != self._engine[0]:
            self._engine = (pid, now_s)

    def _say_why(
        self, snapshot: Snapshot, now_s: float, *, listing_s: float, examining: bool
    ) -> list[Action]:
        actions: list[Action] = []
        failing = self._is_failing(snapshot, now_s)
        if not failing:
            self._fails_since_s = now_s
        elif now_s - self._fails_since_s > ANSWER_S and Subject.SEGMENTS not in snapshot.faults:
            # The result of an examination would be better, but takes longer.
            actions.append(ShowFault(Subject.SEGMENTS, _fault(snapshot, listing_s)))
        if examining:
            return actions
        if self._finding is not None:
            actions.append(ShowFault(Subject.SEGMENTS, self._finding))
            self._finding = None
        if now_s >= self._due_s(failing=failing):
            self._examined += 1
            self._examined_s = now_s
            actions.append(Examine(failing=failing))
        return actions

    def _is_failing(self, snapshot: Snapshot, now_s: float) -> bool:
        """Return whether pushes fail for a reason other than the bucket or a killed daemon."""
        if now_s - self._bucket_faulty_s < COUNTED_WITHIN_S:
            self._failed_count = snapshot.database.failed_count
        runs = snapshot.init.engine_pid != 0 or not snapshot.gate.daemon
        settled_after_s = SETTLED_AFTER_S if runs else GONE_AFTER_S
        return (
            snapshot.database.failed_count > self._failed_count
            and now_s - self._engine[1] > settled_after_s
        )

    def _due_s(self, *, failing: bool) -> float:
        if self._examined:
            return self._examined_s + units.backoff(
                self._examined, EXAMINE_AFTER_S, LONGEST_PAUSE_S
            )
        return self._began_s if failing else self._began_s + EXAMINE_AFTER_S


def _fault(snapshot: Snapshot, listing_s: float) -> Fault:
    """Return what is known at once."""
    database = snapshot.database
    failing = f"pushing {database.last_failed_wal or 'a segment'} fails"
    if listing_s > SILENT_S:
        return Fault(
            kind=FaultKind.TIMEOUT,
            problem=f"{failing}, and a listing of the bucket takes {listing_s:.0f} s or more",
        )
    return Fault(
        kind=FaultKind.ENGINE_BROKEN,
        problem=f"{failing}, although the bucket can be read; failed pushes so far:"
        f" {database.failed_count}",
    )
