"""A missing WAL file is looked for until the answer is certain, and a gap is refused."""

from walsup.agent.recovery.miss_outcomes import (
    BROKEN_TRIES,
    GAP_LOOKS,
    PERMANENT,
    Patience,
    Refuse,
    Retry,
    gap,
    lost,
    stopped_early,
)
from walsup.archive.faults import PASSING, Fault, FaultKind

NAME = "000000010000000000000007"
LATER = "000000010000000000000009"
LAST = "00000001000000000000000A"


def _looks(retry: Retry, most: int) -> int:
    """Return how many looks the same outcome is worth, `most` when all of them."""
    patience = Patience()
    for look in range(most):
        match patience.weigh(retry):
            case Refuse(fault):
                assert fault == retry.fault
                return look
            case Retry():
                assert patience.pause_s(retry) > 0
    return most


def test_what_passes_is_looked_for_without_an_end() -> None:
    """An outage of days must not end a restore; neither must a key that is put right late."""
    for kind in (*PASSING, FaultKind.AUTH, FaultKind.NO_RIGHTS, FaultKind.NO_BUCKET):
        assert _looks(Retry(Fault(kind, "p")), 500) == 500


def test_a_gap_that_stays_and_an_engine_that_cannot_end_the_restore() -> None:
    """An upload that overtakes another is there after a few looks."""
    assert _looks(gap(NAME, {LATER}), 500) == GAP_LOOKS
    assert _looks(lost(NAME), 500) == GAP_LOOKS
    for kind in PERMANENT:
        assert _looks(Retry(Fault(kind, "p")), 500) == BROKEN_TRIES


def test_an_outage_between_does_not_use_up_the_looks_at_a_gap() -> None:
    """Each kind is counted for itself."""
    patience = Patience()
    outage = Retry(Fault(FaultKind.TIMEOUT, "p"))
    for _ in range(100):
        assert patience.weigh(outage) == outage
    assert patience.gap_looks == 0
    for look in range(GAP_LOOKS):
        assert patience.weigh(gap(NAME, {LATER})) == gap(NAME, {LATER})
        assert patience.gap_looks == look + 1
        assert patience.weigh(outage) == outage
    assert patience.weigh(gap(NAME, {LATER})) == Refuse(gap(NAME, {LATER}).fault)


def _pauses(retry: Retry, count: int) -> list[float]:
    patience, pauses = Patience(), []
    for _ in range(count):
        patience.weigh(retry)
        pauses.append(patience.pause_s(retry))
    return pauses


def test_pauses_double_and_stay_short_at_a_gap() -> None:
    """A gap closes soon, or not at all."""
    assert _pauses(Retry(Fault(FaultKind.TIMEOUT, "p")), 7) == [0.5, 1, 2, 4, 8, 15, 15]
    assert _pauses(gap(NAME, {LATER}), 5) == [0.5, 1, 2, 2, 2]


def test_a_gap_is_named_with_what_is_archived_after_it_and_the_setting_that_accepts_it() -> None:
    """The earliest later segment; neither the ones before nor other files."""
    listed = {"000000010000000000000006", LAST, LATER, f"{NAME[:-1]}8.00000028.backup"}
    fault = gap(NAME, listed).fault
    assert fault.kind == FaultKind.HOLE
    assert f"{NAME} is missing, but {LATER} is there" in fault.problem
    assert f"WALSUP_RESTORE_ACCEPT_HOLE={NAME}" in fault.remedy
    assert "but a later segment is there" in gap(NAME, frozenset()).fault.problem


def test_a_segment_with_other_bytes_names_where_recovery_ended() -> None:
    """It is refused at once: the same bytes would be read again."""
    fault = stopped_early(NAME, LAST).fault
    assert NAME in fault.problem
    assert f"up to {LAST}" in fault.problem
