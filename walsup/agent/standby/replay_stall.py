"""Detects a standby whose replay stands still although the archive grows. Pure."""

from walsup import units
from walsup.agent.snapshot import Standby
from walsup.agent.standby.stream_progress import waits_for_queries
from walsup.archive.faults import Fault, FaultKind
from walsup.postgres.wal import show_lsn

_PATIENCE_S = 60.0
_GAP_PATIENCE_S = 20.0


class Standstill:
    """For how long replay has stood at one position, by a monotonic clock."""

    def __init__(self) -> None:
        self._lsn = -1
        self._since_s = 0.0
        self._gap = ""
        self._gap_since_s = 0.0

    def look(self, standby: Standby, now_s: float, *, gap: str = "") -> Fault | None:
        """Record the position of replay; return a fault when it has stood for a minute.

        `gap`: what the archive lacks right after the replayed WAL. Uploads are parallel, so a gap
        counts when it stays.
        """
        if standby.replay_lsn != self._lsn or standby.at_end or not standby.behind_bytes:
            self._lsn, self._since_s = standby.replay_lsn, now_s
        if gap != self._gap:
            self._gap, self._gap_since_s = gap, now_s
        if gap and now_s - self._gap_since_s >= _GAP_PATIENCE_S:
            return Fault(
                kind=FaultKind.NOT_FOLLOWING,
                problem=f"replay has stopped at {show_lsn(standby.replay_lsn)} before a gap: {gap}",
                remedy="make the primary push the segment again (`walsup status` there shows its"
                " faults), or empty this data directory: walsup builds it again from a newer base"
                " backup",
            )
        stood_s = now_s - self._since_s
        if stood_s < _PATIENCE_S + standby.apply_delay_s:
            return None
        return Fault(
            kind=FaultKind.NOT_FOLLOWING,
            problem=f"replay has stood at {show_lsn(standby.replay_lsn)} for"
            f" {units.show_duration(round(stood_s))}, but the archive continues to"
            f" {show_lsn(standby.archived_lsn)}",
            remedy=waits_for_queries(standby)
            or "check whether replay is paused or waits for a query; if postgres's lines in this"
            " log name a timeline that forked off before, empty this data directory: walsup"
            " builds it again",
        )
