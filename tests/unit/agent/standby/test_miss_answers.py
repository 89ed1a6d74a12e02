"""What a standby is handed of what was fetched."""

import struct
from pathlib import Path

import pytest

from walsup.agent.standby.miss_answers import ABSENT, FETCHED, hand_over
from walsup.postgres.wal_files.pages import PAGE_BYTES

SIZE = 1 << 20
NAME = "000000010000000000000002"


def _write(path: Path, pages: int) -> Path:
    heads = (struct.pack("<HHIQ", 0xD110, 0, 1, 2 * SIZE + n * PAGE_BYTES) for n in range(pages))
    path.write_bytes(b"".join(head.ljust(PAGE_BYTES, b"\1") for head in heads).ljust(SIZE, b"\0"))
    return path


@pytest.mark.parametrize(
    ("here", "fetched", "answer"),
    [(None, 3, FETCHED), (2, 3, FETCHED), (3, 3, FETCHED), (4, 3, ABSENT), (4, 128, FETCHED)],
)
@pytest.mark.rule("partial-segments")
def test_acknowledged_wal_is_not_replaced_by_less(
    tmp_path: Path, here: int | None, fetched: int, answer: int
) -> None:
    """A segment that was archived in part, of one that was streamed further."""
    own = tmp_path / NAME
    if here is not None:
        _write(own, here)
    kept = _write(tmp_path / "kept", fetched)
    content = kept.read_bytes()
    wanted = tmp_path / "RECOVERYXLOG"
    assert hand_over(kept, wanted, own, SIZE) == answer
    assert not kept.exists()
    assert wanted.exists() == (answer == FETCHED)
    if answer == FETCHED:
        assert wanted.read_bytes() == content
