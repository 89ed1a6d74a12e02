"""Detects that archiving does not move, or that its obstacle is gone. Pure.

The archiver sleeps for up to a minute after three failures, whatever improves: walsup wakes it.
"""

from walsup import units
from walsup.agent.archiving.watchdog_actions import Action, Progress, Wake, segments_wait
from walsup.agent.snapshot import Snapshot
from walsup.agent.subject import Subject

FIRST_PATIENCE_S = 3.0
LONGEST_PATIENCE_S = 60.0


class Stall:
    """Wakes the archiver at once when something is better, else after a pause that doubles."""

    def __init__(self, snapshot: Snapshot, now_s: float) -> None:
        self._progress = Progress(snapshot)
        self._woken_s = now_s
        self._wakes = 0
        self._was_faulty = False
        self._engine_pid = 0

    def step(self, snapshot: Snapshot, now_s: float) -> list[Action]:
        """Return the wake that is due."""
        better = self._is_better(snapshot)
        if self._progress.has_moved(snapshot):
            self._woken_s, self._wakes = now_s, 0
        if not segments_wait(snapshot):
            return []
        patience_s = units.backoff(self._wakes + 1, FIRST_PATIENCE_S, LONGEST_PATIENCE_S)
        if not better and now_s - self._woken_s <= patience_s:
            return []
        self._wakes += 1
        self._woken_s = now_s
        return [
            Wake(
                "better" if better else "no progress",
                has_daemon=snapshot.init.engine_pid != 0,
                reloads=Subject.BUCKET not in snapshot.faults,
            )
        ]

    def _is_better(self, snapshot: Snapshot) -> bool:
        """Return whether the bucket answers again, or another daemon has started."""
        faulty = Subject.BUCKET in snapshot.faults
        better = self._was_faulty and not faulty
        self._was_faulty = faulty
        pid = snapshot.init.engine_pid
        if pid and pid != self._engine_pid:
            better = better or self._engine_pid != 0
            self._engine_pid = pid
        return better
