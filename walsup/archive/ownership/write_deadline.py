"""Until when a primary that cannot renew its lease may take writes; clocks are parameters.

A standby is promoted when the owner object has been unchanged for RIVAL_LEASES and no WAL arrived
for STREAM_LEASES. So a primary that cannot renew may continue only as long as each standby that may
be promoted acknowledges WAL that was written after the last renewal. PID 1 ends it.
"""

import math
import os
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

from walsup.archive.lease_terms import HOLDER_LEASES

# In the run directory: the file for PID 1, and the one for the next agent of the same start.
FILE = "fence"
MEMORY = "fence.json"
_MOST_MARKS = 64
_WIDTH = 17


def put(run_dir: Path, until_s: float, lease_s: float) -> None:
    """Write a deadline for PID 1: in place, at one width, also on a full disk."""
    text = _line(0.0 if until_s == math.inf else until_s, lease_s)
    descriptor = os.open(run_dir / FILE, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        if os.geteuid() == 0:  # an operator in the container; the agent moves it on
            status = run_dir.stat()
            os.fchown(descriptor, status.st_uid, status.st_gid)
        os.pwrite(descriptor, text.encode(), 0)
    finally:
        os.close(descriptor)


def read(run_dir: Path) -> float:
    """Return the deadline that PID 1 reads, infinite when there is none.

    Raises:
        OSError, ValueError, IndexError: it cannot be read.
    """
    return float((run_dir / FILE).read_text(encoding="ascii").split()[0]) or math.inf


def reserve(run_dir: Path, lease_s: float) -> None:
    """Create the file that `put` writes to, without a deadline; an existing one stays.

    Raises:
        OSError: it does not exist, and there is no space for it.
    """
    if (run_dir / FILE).exists():
        return
    fresh = run_dir / (FILE + ".new")
    try:
        fresh.write_text(_line(0.0, lease_s), encoding="ascii")
        (run_dir / FILE).hardlink_to(fresh)  # never over a newer deadline
    except FileExistsError:
        return
    finally:
        fresh.unlink(missing_ok=True)


def _line(until_s: float, lease_s: float) -> str:
    return f"{until_s:0{_WIDTH}.3f} {lease_s:0{_WIDTH}.3f}\n"


class Mark(NamedTuple):
    """A position of the WAL, and this machine's clock before it was written."""

    clock_s: float
    lsn: int


class WriteDeadline:
    """The deadline of one primary; infinite while no other can have been promoted.

    `alone`: whether silence ends a primary that no standby streams from (WALSUP_FENCE=on).
    """

    def __init__(self, lease_s: float, *, alone: bool) -> None:
        self._lease_s = lease_s
        self._alone = alone
        self._renewed_s = -math.inf
        self._listed: frozenset[str] = frozenset()
        self._asked: frozenset[str] = frozenset()
        self._marks: list[Mark] = []
        self._echoes: dict[str, float] = {}
        self._flushed: dict[str, int] = {}
        self._until_s = math.inf

    @property
    def heirs(self) -> frozenset[str]:
        """Return the standbys that may be promoted: those of the owner object, or soon in it."""
        return self._listed | self._asked

    @property
    def renewed_s(self) -> float:
        """Return when the last confirmed renewal was sent; -inf: none was."""
        return self._renewed_s

    @property
    def until_s(self) -> float:
        """Return when PID 1 must end postgres; it moves forward, except at the first standby."""
        return self._until_s

    def is_late(self, at_s: float) -> bool:
        """Return whether the last renewal is so old that acknowledged WAL is needed."""
        return at_s > self._renewed_s + 1.2 * self._lease_s

    def renews(self, streaming: AbstractSet[str]) -> tuple[str, ...]:
        """Return the standbys to list in a renewal that is about to be sent."""
        self._asked = self._asked | frozenset(streaming)
        return tuple(sorted(streaming))

    def renewed(self, began_s: float, listed: AbstractSet[str]) -> None:
        """Note a renewal that the server confirmed; `began_s`: when it was sent."""
        self._renewed_s = max(self._renewed_s, began_s)
        self._listed, self._asked = frozenset(listed), frozenset()
        self._echoes = {name: at for name, at in self._echoes.items() if name in self._listed}
        self._move()

    def wrote(self, clock_s: float, lsn: int) -> None:
        """Note a position that was written after `clock_s`; an old one proves nothing."""
        if self._marks and lsn <= self._marks[-1].lsn:
            return
        if len(self._marks) >= _MOST_MARKS:
            del self._marks[self._least(clock_s)]
        self._marks.append(Mark(clock_s, lsn))

    def _least(self, at_s: float) -> int:
        """Return the mark whose removal leaves the smallest gap for its age.

        A standby that lags needs old marks too; a missing one makes an acknowledgement older, never
        newer.
        """
        marks = self._marks

        def hole(index: int) -> float:
            hole_s = marks[index + 1].clock_s - marks[index - 1].clock_s
            return hole_s / max(at_s - marks[index].clock_s, 0.001)

        return min(range(1, len(marks) - 1), key=hole)

    def acknowledged(self, flushed: Mapping[str, int]) -> None:
        """Note how far each standby has written WAL to its disk."""
        self._flushed = dict(flushed)
        for name, lsn in flushed.items():
            echo_s = max((mark.clock_s for mark in self._marks if mark.lsn <= lsn), default=None)
            if echo_s is not None:
                self._echoes[name] = max(echo_s, self._echoes.get(name, -math.inf))
        self._move()

    def lagging(self, at_s: float, leases: float) -> tuple[str, ...]:
        """Return the standbys that lack WAL which was written more than so many leases ago.

        If one of them lags for a lease, this primary ends when it cannot renew, though all stream.
        """
        old = [mark.lsn for mark in self._marks if mark.clock_s < at_s - leases * self._lease_s]
        late = (name for name, lsn in self._flushed.items() if old and lsn < old[-1])
        return tuple(sorted(self.heirs & {*late}))

    def state(self) -> dict[str, object]:
        """Return the state that the next agent of this start needs."""
        renewed_s = None if self._renewed_s == -math.inf else self._renewed_s
        return {"renewed_s": renewed_s, "heirs": sorted(self.heirs)}

    def resume(self, state: Mapping[str, object], until_s: float) -> None:
        """Continue from the `state` of before, and from the deadline that PID 1 has.

        Raises:
            ValueError, TypeError, KeyError: the state is something else.
        """
        if state["renewed_s"] is not None:
            self._renewed_s = float(str(state["renewed_s"]))
            heirs = state["heirs"]
            self._listed = frozenset(map(str, heirs if isinstance(heirs, list) else ()))
            self._until_s = until_s
            self._move()

    def _move(self) -> None:
        heirs = self.heirs
        if self._renewed_s == -math.inf or not (heirs or self._alone):
            self._until_s = math.inf
            return
        by_lease_s = self._renewed_s + HOLDER_LEASES * self._lease_s
        echoes = [self._echoes.get(name, -math.inf) for name in heirs]
        by_stream_s = min(echoes, default=-math.inf) + self._lease_s
        until_s = max(by_lease_s, by_stream_s)
        before_s = -math.inf if self._until_s == math.inf else self._until_s
        self._until_s = max(before_s, until_s)
