"""The reserve beside the WAL."""

from pathlib import Path

import pytest

from walsup.postgres.wal_files.reserve import FileSystemSpace, give_up, may_add, refill

MIB = 1 << 20
SEGMENT = 16 * MIB


@pytest.mark.parametrize(
    ("total_mib", "free_mib", "held", "expected"),
    [
        (100_000, 50_000, 0, True),
        (100_000, 50_000, 3, True),
        (100_000, 50_000, 4, False),  # a few segments are enough
        (100_000, 12_000, 0, False),  # never when low
        (1024, 512, 3, True),
        (256, 128, 0, True),
        (256, 128, 1, True),
        (256, 128, 2, False),  # an eighth of the disk at most
        (256, 79, 0, False),
        (64, 60, 0, False),
        (0, 0, 0, False),
    ],
)
@pytest.mark.rule("disk-full")
def test_only_with_room(total_mib: int, free_mib: int, held: int, *, expected: bool) -> None:
    """Small volumes keep their room, and a low disk is not made lower."""
    assert may_add(FileSystemSpace(total_mib * MIB, free_mib * MIB), SEGMENT, held) == expected


@pytest.mark.rule("disk-full")
def test_refill_and_keep(tmp_path: Path) -> None:
    """Whole segments with blocks behind them; a second call adds nothing, room keeps them."""
    held = refill(tmp_path, MIB)
    files = sorted(tmp_path.iterdir())
    assert held == 4 * MIB
    assert [file.name for file in files] == [f".walsup-reserve-{n}" for n in (1, 2, 3, 4)]
    assert all(file.stat().st_blocks * 512 >= MIB for file in files)
    assert refill(tmp_path, MIB) == held
    assert give_up(tmp_path, MIB) == 0
    assert sorted(tmp_path.iterdir()) == files


@pytest.mark.rule("disk-full")
def test_given_up_when_a_segment_does_not_fit(tmp_path: Path) -> None:
    """With a segment size that no disk has room for, all of it goes."""
    refill(tmp_path, MIB)
    assert give_up(tmp_path, 1 << 60) == 4
    assert list(tmp_path.iterdir()) == []
    assert give_up(tmp_path, 1 << 60) == 0
