"""Commits that wait for a synchronous standby. Pure.

PostgreSQL lets them wait without an end and without a line in its log.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from walsup import units
from walsup.archive.fault import Fault

# A busy server always has some that have just begun to wait.
_PATIENCE_S = 10.0

# A session's pid, and when its statement began, which tells one wait from its next one.
Wait = tuple[int, datetime | None]


class Waits(NamedTuple):
    """What one look has shown. `names`: synchronous_standby_names."""

    names: str
    standbys: tuple[str, ...]
    waiting: tuple[Wait, ...]


class SyncWaits:
    """For how long each session has been seen waiting, by a monotonic clock."""

    def __init__(self) -> None:
        self._since_s: dict[Wait, float] = {}

    def look(self, seen: Waits, now_s: float) -> Fault | None:
        """Return what holds commits up, None while none has waited for 10 s."""
        self._since_s = {one: self._since_s.get(one, now_s) for one in seen.waiting}
        waited_s = now_s - min(self._since_s.values(), default=now_s)
        if waited_s < _PATIENCE_S:
            return None
        return Fault(
            kind="commits wait",
            problem=f"{len(seen.waiting)} sessions wait for a synchronous standby to confirm their"
            f" commit, one of them for more than {units.show_duration(int(_PATIENCE_S))}:"
            f" synchronous_standby_names = '{seen.names}', connected standbys:"
            f" {_shown(seen.standbys)}",
        )


def _shown(standbys: Iterable[str]) -> str:
    return ", ".join(sorted(standbys)) or "none"
