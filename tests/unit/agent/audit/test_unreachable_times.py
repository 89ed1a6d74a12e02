"""Which times no restore can reach, in words."""

import pytest

from walsup.agent.audit import unreachable_times
from walsup.agent.audit.restore_window import Evaluation
from walsup.agent.board import Board
from walsup.agent.snapshot import Hole
from walsup.agent.subject import Subject
from walsup.archive.catalog.scope import Counted
from walsup.archive.faults import Fault, FaultKind


def _backup(number: int) -> Counted:
    return Counted(
        name=f"base_{number}",
        start_lsn=number << 24,
        finish_lsn=(number << 24) + 9,
        timeline=1,
        system_id=7,
        uploaded_at=float(number),
        finished_at=f"2026-01-0{number}T00:00:00Z",
    )


def test_a_damaged_older_base_backup_is_named_with_what_can_still_be_restored() -> None:
    """Name, problem, the end of the oldest whole one, and the command that removes it."""
    whole = (_backup(2), _backup(3))
    judged = Evaluation(whole, {"base_1": "a part is missing"}, (), whole)
    found = unreachable_times.backups(judged, {"base_1"}, "")
    assert found is not None
    assert "base backup base_1: a part is missing" in found.problem
    assert "from the end of base backup base_2 (2026-01-02T00:00:00Z) on" in found.problem
    assert found.remedy.endswith("delete target base_1 --confirm")


@pytest.mark.parametrize(("steady", "in_fault"), [((), ""), (("base_1",), "base_1")])
def test_a_deletion_under_way_and_what_a_fault_names_need_no_attention(
    steady: tuple[str, ...], in_fault: str
) -> None:
    """A first round may see half of a deletion by retention."""
    judged = Evaluation((_backup(2),), {"base_1": "a part is missing"}, (), (_backup(2),))
    assert unreachable_times.backups(judged, steady, in_fault) is None


def test_a_gap_needs_attention_once_a_newer_base_backup_covers_it() -> None:
    """Until then it is a fault."""
    gap = Hole(first="A", last="B", end_lsn=2 << 24)
    assert unreachable_times.gaps(Evaluation((), {}, (gap,), ())) is None
    gap = Hole(first="A", last="B", end_lsn=2 << 24, covered_by="base_2")
    found = unreachable_times.gaps(Evaluation((), {}, (gap,), (_backup(1), _backup(2))))
    assert found is not None
    assert (
        "no restore reaches a time from segment A to B until the end of base backup base_2"
        " (2026-01-02T00:00:00Z)"
    ) in found.problem
    assert found.remedy.endswith("delete before base_2 --confirm")


def test_attention_keeps_its_beginning_and_ends(capfd: pytest.CaptureFixture[str]) -> None:
    """Other words of the same subject begin nothing; the same words are not logged again."""
    board = Board("s3://b/a")
    for problem in ("one", "one", "two"):
        board.attend(Subject.GAP, Fault(FaultKind.HOLE, problem))
    first = board.snapshot.attention[Subject.GAP].since
    assert board.snapshot.attention[Subject.GAP].fault.problem == "two"
    board.attend(Subject.GAP, Fault(FaultKind.HOLE, "three"))
    assert board.snapshot.attention[Subject.GAP].since == first
    board.attend(Subject.GAP, None)
    board.attend(Subject.GAP, None)
    assert board.snapshot.attention == {}
    logged = capfd.readouterr().err
    assert logged.count("attention.wanted") == 3
    assert logged.count("attention.ended") == 1
