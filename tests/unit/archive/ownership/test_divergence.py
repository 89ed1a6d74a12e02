"""Whether this disk's WAL is what the archive has, on the timeline that it left too."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.archive.ownership.test_admission import OWNER
from tests.unit.ownership.net import Store
from tests.unit.ownership.wal import SIZE, SYSTEM, Comparison, Line, Wal, Writer, key
from walsup.archive.faults import FaultKind
from walsup.archive.ownership.claimant import Claimant
from walsup.postgres.pg_control import ControlData, DBState
from walsup.postgres.wal import Switch

FIRST, ARCHIVED, SWITCH = 2 * SIZE, 5 * SIZE, 6 * SIZE
OLD_LINE = Line(1, ())

pytestmark = pytest.mark.rule("divergence")


@pytest.fixture
def comparison(tmp_path: Path) -> Iterator[Comparison]:
    """Compares files that are laid out as a data directory has them."""
    made = Comparison(tmp_path / "sides")
    yield made
    made.close()


def _archived_by(writer: Writer) -> tuple[Store, Wal]:
    """Return an archive that ends where timeline 1 reaches 5 segments, and its writer's WAL."""
    wal = Wal()
    writer.write(wal, OLD_LINE, FIRST, ARCHIVED)
    return Store(objects={key(name): content for name, content in wal.segments.items()}), wal


def _promoted(switch_lsn: int) -> Claimant:
    control = ControlData(
        system_id=SYSTEM,
        state=DBState.IN_PRODUCTION,
        checkpoint_lsn=switch_lsn,
        redo_lsn=switch_lsn,
        timeline=2,
        segment_size=SIZE,
        catalog_version=1,
        control_version=1300,
    )
    return Claimant(
        control=control,
        instance="ours",
        boot="our boot",
        place="kernel:2:2",
        compression="zstd",
        lease_s=15,
        left=(Switch(timeline=1, switch_lsn=switch_lsn, reason="promoted"),),
    )


@pytest.mark.parametrize("is_own", [True, False], ids=["its own", "a diverged primary's"])
def test_the_timeline_that_was_left_is_compared(comparison: Comparison, *, is_own: bool) -> None:
    """A standby that has followed a diverged primary is not the archive's heir."""
    writer = Writer()
    store, wal = _archived_by(writer)
    if not is_own:
        wal = Wal()
        writer.write(wal, OLD_LINE, FIRST, ARCHIVED)
    writer.write(wal, OLD_LINE, ARCHIVED, SWITCH)
    wal.done.update(wal.segments)
    owner = replace(OWNER, lsn=FIRST + SIZE, system_id=SYSTEM)
    fault = comparison.compare(store, _promoted(SWITCH), wal, owner).fault
    assert (fault is None) is is_own
    if fault is not None:
        assert fault.kind is FaultKind.BUCKET_AHEAD
        assert OLD_LINE.at(ARCHIVED - 1).name in fault.problem


def test_a_segment_that_was_left_in_its_middle_is_not_compared(comparison: Comparison) -> None:
    """Its first part alone is on both lines; the rest was written by each for itself."""
    writer = Writer()
    store, _ = _archived_by(writer)
    wal = Wal()
    writer.write(wal, OLD_LINE, FIRST, ARCHIVED)
    wal.done.update(wal.segments)
    left = _promoted(ARCHIVED - SIZE // 2)
    owner = replace(OWNER, lsn=FIRST + SIZE, system_id=SYSTEM)
    assert comparison.compare(store, left, wal, owner).fault is None
