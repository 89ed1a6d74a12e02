"""Until when a primary may take writes that cannot renew its lease; clocks are parameters.

A standby is promoted when the owner object has stood unchanged for RIVAL_LEASES and no WAL has come
for STREAM_LEASES. So a primary that cannot renew may go on for as long as each standby that may be
promoted acknowledges WAL that was written after the last renewal, and not longer. PID 1 ends it.
"""

import math
import os
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

from walsup.archive.lease_terms import HOLDER_LEASES

# In the run directory: what PID 1 reads, and what the next agent of the same start takes up.
FILE = "fence"
MEMORY = "fence.json"
_MOST_MARKS = 64
_WIDTH = 17


def put(run_dir: Path, until_s: float, lease_s: float) -> None:
    """Put a deadline where PID 1 reads it: in place, at one width, also on a full disk."""
    text = _line(0.0 if until_s == math.inf else until_s, lease_s)
    descriptor = os.open(run_dir / FILE, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        if os.geteuid() == 0:  # a person in the container; the agent moves it on
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
    """Make the file that `put` writes to, with no deadline in it; one that is there stays.

    Raises:
        OSError: it is not there, and there is no room for it.
    """
    if (run_dir / FILE).exists():
        return
    fresh = run_dir / (FILE + ".new")
    try:
        fresh.write_text(_line(0.0, lease_s), encoding="ascii")
        (run_dir / FILE).hardlink_to(fresh)  # never over what was put there in the meantime
    except FileExistsError:
        return
    finally:
        fresh.unlink(missing_ok=True)


def _line(until_s: float, lease_s: float) -> str:
    return f"{until_s:0{_WIDTH}.3f} {lease_s:0{_WIDTH}.3f}\n"


class Mark(NamedTuple):
    """A position of the WAL, and our clock before it was written."""

    clock_s: float
    lsn: int


class Fence:
    """The deadline of one primary; infinite while no other can have been promoted.

    `alone`: whether silence ends a primary of which no standby streams (WALSUP_FENCE=on).
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
        """The standbys that may be promoted: listed in the owner object, or perhaps by now."""
        return self._listed | self._asked

    @property
    def renewed_s(self) -> float:
        """When the last renewal was sent whose success was answered; -inf: none was."""
        return self._renewed_s

    @property
    def until_s(self) -> float:
        """When PID 1 has to end postgres; it only moves forward, but for the first standby."""
        return self._until_s

    def is_late(self, at_s: float) -> bool:
        """Return whether the last renewal is so old that acknowledged WAL is needed."""
        return at_s > self._renewed_s + 1.2 * self._lease_s

    def renews(self, streaming: AbstractSet[str]) -> tuple[str, ...]:
        """Return the standbys to list in a renewal that is about to be sent."""
        self._asked = self._asked | frozenset(streaming)
        return tuple(sorted(streaming))

    def renewed(self, began_s: float, listed: AbstractSet[str]) -> None:
        """Take note of a renewal whose success was answered; `began_s`: when it was sent."""
        self._renewed_s = max(self._renewed_s, began_s)
        self._listed, self._asked = frozenset(listed), frozenset()
        self._echoes = {name: at for name, at in self._echoes.items() if name in self._listed}
        self._move()

    def wrote(self, clock_s: float, lsn: int) -> None:
        """Take note of a position that was written after `clock_s`; an old one says nothing."""
        if self._marks and lsn <= self._marks[-1].lsn:
            return
        if len(self._marks) >= _MOST_MARKS:
            del self._marks[self._least(clock_s)]
        self._marks.append(Mark(clock_s, lsn))

    def _least(self, at_s: float) -> int:
        """Return the mark whose loss leaves the smallest hole for its age.

        A standby that lags needs old ones too; a missing one makes an echo older, never newer.
        """
        marks = self._marks

        def hole(index: int) -> float:
            hole_s = marks[index + 1].clock_s - marks[index - 1].clock_s
            return hole_s / max(at_s - marks[index].clock_s, 0.001)

        return min(range(1, len(marks) - 1), key=hole)

    def acknowledged(self, flushed: Mapping[str, int]) -> None:
        """Take note of how far each standby has written WAL to its disk."""
        self._flushed = dict(flushed)
        for name, lsn in flushed.items():
            echo_s = max((mark.clock_s for mark in self._marks if mark.lsn <= lsn), default=None)
            if echo_s is not None:
                self._echoes[name] = max(echo_s, self._echoes.get(name, -math.inf))
        self._move()

    def lagging(self, at_s: float, leases: float) -> tuple[str, ...]:
        """Return the standbys that lack WAL which was written more than so many leases ago.

        With one of them for a lease this primary ends when it cannot renew, though all stream.
        """
        old = [mark.lsn for mark in self._marks if mark.clock_s < at_s - leases * self._lease_s]
        late = (name for name, lsn in self._flushed.items() if old and lsn < old[-1])
        return tuple(sorted(self.heirs & {*late}))

    def state(self) -> dict[str, object]:
        """Return what the next agent has to know of this start."""
        renewed_s = None if self._renewed_s == -math.inf else self._renewed_s
        return {"renewed_s": renewed_s, "heirs": sorted(self.heirs)}

    def resume(self, state: Mapping[str, object], until_s: float) -> None:
        """Go on from what `state` gave, and from the deadline that PID 1 knows.

        Raises:
            ValueError, TypeError, KeyError: it gave something else.
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
