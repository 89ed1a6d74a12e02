"""Checks whether a streaming standby makes progress. Pure.

"streaming" is the last status of the WAL receiver: one that hangs keeps it.
"""

from datetime import datetime

from walsup import units
from walsup.agent.snapshot import Standby
from walsup.archive.faults import Fault, FaultKind
from walsup.postgres.sql.replay_progress import Replay
from walsup.postgres.wal import show_lsn

_PATIENCE_S = 60.0
_SILENT_MARGIN_S = 15.0
# At the beginning of a page the position may be before or after the page header.
_HEADER_BYTES = 40


class ReplayProgress:
    """For how long replay has stood, and the primary has sent nothing, by a monotonic clock."""

    def __init__(self) -> None:
        self._lsn = -1
        self._moved_s = 0.0
        self._even_s = 0.0
        self._heard_at: datetime | None = None
        self._heard_s = 0.0

    def still_s(self, replay_lsn: int, now_s: float) -> float:
        """Return for how long replay has stood at this position."""
        if replay_lsn != self._lsn:
            self._lsn, self._moved_s = replay_lsn, now_s
        return round(now_s - self._moved_s, 1)

    def look(self, standby: Standby, at: Replay, now_s: float, *, low: str = "") -> Fault | None:
        """Return why it does not follow, None when it does or has nothing to replay.

        `low`: the settings that are too low for a paused replay to continue.
        """
        if standby.primary_lsn - standby.replay_lsn <= _HEADER_BYTES:
            self._even_s = now_s
        if not at.streaming or at.heard_at != self._heard_at:
            self._heard_at, self._heard_s = at.heard_at, now_s
        if at.paused and low:
            return Fault(
                kind=FaultKind.NOT_FOLLOWING,
                problem=f"replay is paused at {show_lsn(standby.replay_lsn)}: {low}",
                remedy="start this instance again: walsup raises the settings that are too low"
                " (do not resume replay: postgres would stop)",
            )
        if at.paused:
            return Fault(
                kind=FaultKind.NOT_FOLLOWING,
                problem=f"replay is paused at {show_lsn(standby.replay_lsn)}",
                remedy="resume it: select pg_wal_replay_resume()",
            )
        silent_s = now_s - self._heard_s
        if at.receiver_timeout_s and silent_s > at.receiver_timeout_s + _SILENT_MARGIN_S:
            return Fault(
                kind=FaultKind.NOT_FOLLOWING,
                problem="the WAL receiver reports that it streams, but has received nothing for"
                f" {units.show_duration(round(silent_s))}",
                remedy="look for a hung network or WAL receiver; terminate that process to make"
                " postgres connect again",
            )
        stood_s = now_s - max(self._moved_s, self._even_s)
        if stood_s <= _PATIENCE_S + at.apply_delay_s:
            return None
        return Fault(
            kind=FaultKind.NOT_FOLLOWING,
            problem=f"replay has stood at {show_lsn(standby.replay_lsn)} for"
            f" {units.show_duration(round(stood_s))}, but the primary is at"
            f" {show_lsn(standby.primary_lsn)}",
            remedy=waits_for_queries(standby)
            or "look for a query that blocks replay (max_standby_streaming_delay), or for a"
            " startup process that hangs",
        )


def waits_for_queries(standby: Standby) -> str:
    """Return the remedy when replay waits for queries without a limit, "" when it does not."""
    if not standby.endless:
        return ""
    return (
        f"{standby.endless} = -1 lets replay wait for queries on this standby without a"
        " limit: end the query that blocks it (pg_stat_activity), or set a limit and reload"
    )
