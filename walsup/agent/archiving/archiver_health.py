"""Detects that postgres's archiver is missing, or stopped by a signal, while segments wait. Pure.

It is postgres's own process: walsup names it, and signals only what walsup has started.
"""

from walsup.agent.archiving.watchdog_actions import (
    Action,
    ClearFault,
    Progress,
    ShowFault,
    segments_wait,
)
from walsup.agent.snapshot import Snapshot
from walsup.agent.subject import Subject
from walsup.archive.faults import Fault, FaultKind
from walsup.postgres.processes.archiver import Archiver

PATIENCE_S = 5.0


class ArchiverHealth:
    """Shows a fault when the archiver has not been able to work for a few seconds."""

    def __init__(self, snapshot: Snapshot, now_s: float) -> None:
        self._progress = Progress(snapshot)
        self._well_s = now_s

    def step(self, snapshot: Snapshot, archiver: Archiver | None, now_s: float) -> list[Action]:
        """Return what changes about the archiver's fault; `archiver` None: there is none now."""
        cleared: list[Action] = [ClearFault(Subject.ARCHIVER)]
        moved = self._progress.has_moved(snapshot)
        if moved:
            self._well_s = now_s
        if not segments_wait(snapshot):
            return cleared if moved else []
        if archiver is not None and not archiver.stopped:
            self._well_s = now_s
            return cleared
        lasts = now_s - self._well_s > PATIENCE_S
        if lasts and snapshot.database.observed and snapshot.database.role == "primary":
            return [ShowFault(Subject.ARCHIVER, _fault(archiver))]
        return cleared if moved else []


def _fault(archiver: Archiver | None) -> Fault:
    if archiver is None:
        return Fault(
            kind=FaultKind.ENGINE_BROKEN,
            problem="segments wait, and postgres has no archiver process",
            remedy="wait a minute: postgres restarts it; if it does not, read postgres's log and"
            " check that archive_mode is on",
        )
    return Fault(
        kind=FaultKind.ENGINE_BROKEN,
        problem=f"segments wait, and {archiver.stopped} has been stopped by a signal",
        remedy="find out what stopped it, and resume it with kill -CONT; walsup signals only the"
        " processes that it has started",
    )
