"""Detects a push that hangs in the engine's daemon: the daemon is replaced. Pure.

The daemon has a deadline for each push. One that has passed it may take the next push with it:
WAL-RUS's daemon lets a new push of a segment wait for the one that hangs. It is watched also while
no segment is known to wait: the lag is measured once a second, and a deadline may be 2 s.
"""

from walsup.agent.archiving.watchdog_actions import Action, ReplaceDaemon
from walsup.agent.snapshot import Snapshot
from walsup.agent.states import GateState
from walsup.agent.subject import Subject
from walsup.postgres.processes.archiver import Archiver

SAMPLED_S = 0.5  # a push may have begun, or ended, that long before it is seen
OVERDUE_S = 1.5  # after the daemon's own deadline, before the client's
REPLACE_EVERY_S = 60.0


class OverduePush:
    """Measures how long the archiver's pushes take; `timeout_s`: the deadline of each."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._pid = 0
        self._began_s = 0.0
        self._replaced_s = -REPLACE_EVERY_S

    def step(self, snapshot: Snapshot, archiver: Archiver | None, now_s: float) -> list[Action]:
        """Return the replacement that is due; `archiver` None: there is none now."""
        if snapshot.gate.state != GateState.OPEN:
            self._pid = 0  # it may end unseen, long before the next look
            return []
        actions: list[Action] = []
        pid = archiver.push if archiver else 0
        if pid != self._pid:
            lasted_s = now_s - self._began_s
            timed_out = self._pid != 0 and lasted_s >= self._timeout_s - SAMPLED_S
            self._pid, self._began_s = pid, now_s
            if timed_out and Subject.BUCKET not in snapshot.faults:
                actions.append(ReplaceDaemon(f"a push has not ended within {lasted_s:.0f} s"))
        deadline_s = self._timeout_s + OVERDUE_S
        overdue = pid != 0 and now_s - self._began_s > deadline_s
        stopped = archiver is not None and archiver.stopped != ""
        if overdue and not stopped and now_s - self._replaced_s > REPLACE_EVERY_S:
            self._replaced_s = now_s
            actions.append(ReplaceDaemon(f"a push has taken longer than {deadline_s:g} s"))
        return actions
