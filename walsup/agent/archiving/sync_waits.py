"""Commits that wait for a synchronous standby. Pure.

PostgreSQL lets them wait without an end and without a line in its log.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from walsup import units
from walsup.archive.faults import Fault, FaultKind

# A busy server always has some that have just begun to wait.
_PATIENCE_S = 10.0
# Clients that give up and try again leave looks without a session that waits.
_FORGOTTEN_AFTER_S = 30.0
# Source: PostgreSQL 15, syncrep_gram.y: `2 (a, b)`, `FIRST 2 (a, b)`, `ANY 2 (a, b)`, `a, b`.
_NUMBER = re.compile(r"\s*(?:(?:first|any)\s+)?(\d+)\s*\(", re.IGNORECASE)


class CommitWait(NamedTuple):
    """What tells one wait for a commit from the next: a session, its statement, transaction, xid.

    A procedure, or statements sent as one text, commit several times in one statement.
    """

    pid: int
    statement_at: datetime | None
    transaction_at: datetime | None
    xid: int | None


class Waits(NamedTuple):
    """What one look has shown. `names`: synchronous_standby_names.

    `synchronous`: the number of streaming standbys that may confirm commits.
    """

    names: str
    standbys: tuple[str, ...]
    waiting: tuple[CommitWait, ...]
    synchronous: int = 0


class SyncWaits:
    """For how long each commit has been seen waiting, by a monotonic clock."""

    def __init__(self) -> None:
        self._since_s: dict[CommitWait, float] = {}
        self._lacking_since_s: float | None = None
        self._waiting_at_s = 0.0

    def look(self, waits: Waits, now_s: float) -> Fault | None:
        """Return what holds commits up, None while none has waited for 10 s.

        Where fewer standbys are connected than have to confirm, no commit is confirmed: then
        sessions that wait one after the other, each until its client gives up, count as one.
        """
        self._since_s = {one: self._since_s.get(one, now_s) for one in waits.waiting}
        lacking_s = self._lacking_s(waits, now_s)
        waited_s = now_s - min(self._since_s.values(), default=now_s)
        if max(waited_s, lacking_s) < _PATIENCE_S:
            return None
        return Fault(
            kind=FaultKind.COMMITS_WAIT,
            problem="sessions wait for a synchronous standby to confirm their commit, for more than"
            f" {units.show_duration(int(_PATIENCE_S))}:"
            f" synchronous_standby_names = '{waits.names}', connected standbys:"
            f" {_shown(waits.standbys)}",
        )

    def _lacking_s(self, waits: Waits, now_s: float) -> float:
        """Return for how long sessions wait while too few standbys are connected."""
        if waits.waiting:
            self._waiting_at_s = now_s
        is_confirmed = not waits.names or waits.synchronous >= _needed(waits.names)
        if is_confirmed or now_s - self._waiting_at_s > _FORGOTTEN_AFTER_S:
            self._lacking_since_s = None
        elif self._lacking_since_s is None and waits.waiting:
            self._lacking_since_s = now_s
        return 0.0 if self._lacking_since_s is None else self._waiting_at_s - self._lacking_since_s


def _needed(names: str) -> int:
    """Return how many standbys have to confirm a commit."""
    found = _NUMBER.match(names)
    return int(found[1]) if found else 1


def _shown(standbys: Iterable[str]) -> str:
    return ", ".join(sorted(standbys)) or "none"
