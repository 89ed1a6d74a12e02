"""The outcomes of a look for a missing WAL file, and when to give up looking again. Pure."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from walsup import units
from walsup.archive.faults import Fault, FaultKind
from walsup.postgres.wal import Kind, classify

FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 15.0
LONGEST_GAP_RETRY_S = 2.0
GAP_LOOKS = 8  # parallel uploads may show later segments first, for a moment
BROKEN_TRIES = 5
PERMANENT = (FaultKind.ENGINE_BROKEN, FaultKind.ENGINE_UNABLE, FaultKind.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Fetched:
    """The file is where postgres wants it."""


@dataclass(frozen=True, slots=True)
class Absent:
    """There is no such file: postgres looks elsewhere, or recovery ends there."""


@dataclass(frozen=True, slots=True)
class Retry:
    """It is not known yet; after a pause it may be."""

    fault: Fault


@dataclass(frozen=True, slots=True)
class LookAgain:
    """The awaited claim is held: list the bucket again at once."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Recovery must not continue."""

    fault: Fault


Outcome = Fetched | Absent | Retry | LookAgain | Refuse


class Patience:
    """Decides how long to look for one file; `gap_looks`: how often a gap was in its place.

    An unclear answer of the bucket is asked for again without an end. A gap that stays, and an
    engine that fails though the bucket answers, end the restore.
    """

    def __init__(self) -> None:
        self.gap_looks = 0
        self._broken = 0
        self._failures = 0

    def weigh(self, retry: Retry) -> Retry | Refuse:
        """Return whether it is worth another look."""
        kind = retry.fault.kind
        self.gap_looks += kind == FaultKind.HOLE
        self._broken += kind in PERMANENT
        self._failures += 1
        if self.gap_looks > GAP_LOOKS or self._broken > BROKEN_TRIES:
            return Refuse(retry.fault)
        return retry

    def pause_s(self, retry: Retry) -> float:
        """Return how long to wait before that look."""
        is_gap = retry.fault.kind == FaultKind.HOLE
        longest_s = LONGEST_GAP_RETRY_S if is_gap else LONGEST_RETRY_S
        return units.backoff(self._failures, FIRST_RETRY_S, longest_s)


def gap(name: str, listed: AbstractSet[str]) -> Retry:
    """Return the outcome for a segment that is missing while later ones are archived."""
    later = min(
        (found for found in listed if classify(found) is Kind.SEGMENT and found > name),
        default="a later segment",
    )
    return Retry(
        Fault(
            kind=FaultKind.HOLE,
            problem=f"the archive has a gap: {name} is missing, but {later} is there",
            remedy="bring the object back (from an older object version or a replica); to end the"
            " restore before the gap, and lose all later WAL, set"
            f" WALSUP_RESTORE_ACCEPT_HOLE={name}",
        )
    )


def lost(name: str) -> Retry:
    """Return the outcome when even the segment before, which was fetched, is not listed."""
    return Retry(
        Fault(
            kind=FaultKind.HOLE,
            problem=f"a listing of the archive shows neither {name} nor the segment before it,"
            " which was fetched from there",
            remedy="find out what deletes objects below the archive's prefix",
        )
    )


def stopped_early(at: str, last: str) -> Refuse:
    """Return the outcome when postgres ends recovery in the segment `at`, before `last`."""
    return Refuse(
        Fault(
            kind=FaultKind.HOLE,
            problem=f"postgres has stopped reading WAL in {at}, but the archive goes up to {last}:"
            f" {at} is damaged",
            remedy="start again: walsup fetches the segment again; if that does not help, end the"
            " restore before it (WALSUP_RESTORE_TARGET_LSN), and find out what has changed it",
        )
    )
