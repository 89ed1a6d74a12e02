"""The actions that the detectors of the archiver watchdog return, and what they share. Pure.

A detector reads a snapshot and a given clock, and returns actions; only the loop
acts. Every detector runs at each turn, also while no segment waits.
"""

from dataclasses import dataclass

from walsup.agent.snapshot import Snapshot
from walsup.agent.states import GateState
from walsup.agent.subject import Subject
from walsup.archive.faults import Fault


@dataclass(frozen=True, slots=True)
class Wake:
    """Have the archiver try again; a daemon that does not answer is replaced first.

    `has_daemon`: whether there is one to be asked. `reloads`: whether the archiver is woken; not
    while the bucket does not answer.
    """

    reason: str
    has_daemon: bool
    reloads: bool


@dataclass(frozen=True, slots=True)
class ReplaceDaemon:
    """Replace the engine's daemon."""

    reason: str


@dataclass(frozen=True, slots=True)
class ShowFault:
    """Make a fault active."""

    subject: Subject
    fault: Fault


@dataclass(frozen=True, slots=True)
class ClearFault:
    """End a fault."""

    subject: Subject


@dataclass(frozen=True, slots=True)
class Examine:
    """Find out why the first segment is missing in the bucket; `failing`: its pushes fail."""

    failing: bool


Action = Wake | ReplaceDaemon | ShowFault | ClearFault | Examine


def segments_wait(snapshot: Snapshot) -> bool:
    """Return whether archiving is enabled and finished segments are not verified."""
    return snapshot.gate.state == GateState.OPEN and bool(snapshot.lag.segments)


class Progress:
    """Tells whether archiving has moved since the last look."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._proven_lsn = snapshot.lag.proven_lsn

    def has_moved(self, snapshot: Snapshot) -> bool:
        """Return whether no segment waits, or the end of what is verified is another."""
        moved = not snapshot.lag.segments or snapshot.lag.proven_lsn != self._proven_lsn
        self._proven_lsn = snapshot.lag.proven_lsn
        return moved
