"""The memory of a restore, and when one is not yet a database."""

import struct
from pathlib import Path

import pytest

from walsup.datadir import restore_state
from walsup.datadir.restore_state import Restored
from walsup.errors import DataDirectoryError
from walsup.postgres.pg_control import CONTROL_FILE_BYTES, DBState, crc32c

FOUND = Restored(
    source="s3://b/x",
    own=True,
    backup="base_1",
    system_id=7,
    legs=((1, 0, 500), (2, 500, None)),
    segment_size=1 << 24,
    first="000000010000000000000002",
    last="000000020000000000000009",
    target="lsn 0/5",
    wish="s3://b/x to lsn 0/5",
    ends="target",
)


def control_file(state: DBState) -> bytes:
    """A pg_control of a cluster in this state, laid out as PostgreSQL 15's."""
    head = struct.pack("<QIIIIqQQI", 7, 1300, 202209061, state, 0, 0, 1 << 24, 1 << 24, 1)
    sizes = struct.pack("<dIIII", 1234567.0, 8192, 131072, 8192, 1 << 24)
    body = (head.ljust(216, b"\x01") + sizes).ljust(288, b"\x02")
    return (body + struct.pack("<I", crc32c(body))).ljust(CONTROL_FILE_BYTES, b"\0")


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    """With what a later version has noted left out."""
    assert restore_state.read(tmp_path) is None
    restore_state.write(tmp_path, FOUND)
    assert restore_state.read(tmp_path) == FOUND
    text = (tmp_path / restore_state.FILE).read_text().replace('"own"', '"later": 1,\n "own"')
    (tmp_path / restore_state.FILE).write_text(text)
    assert restore_state.read(tmp_path) == FOUND


def test_a_damaged_one_is_refused(tmp_path: Path) -> None:
    """It may stand beside half a recovery."""
    (tmp_path / restore_state.FILE).write_text("{")
    with pytest.raises(DataDirectoryError, match="cannot be read"):
        restore_state.read(tmp_path)


@pytest.mark.parametrize("state", DBState)
@pytest.mark.parametrize("signal", [True, False])
@pytest.mark.rule("stage")
def test_what_is_not_promoted_is_no_database(
    tmp_path: Path,
    state: DBState,
    signal: bool,  # noqa: FBT001
) -> None:
    """postgres removes its signal file first; pg_control knows better."""
    (tmp_path / "global").mkdir()
    (tmp_path / "global" / "pg_control").write_bytes(control_file(state))
    assert not restore_state.is_recovering(tmp_path)
    restore_state.write(tmp_path, FOUND)
    if signal:
        (tmp_path / restore_state.SIGNAL).touch()
    promoted = state in (DBState.SHUT_DOWN, DBState.SHUTTING_DOWN, DBState.IN_PRODUCTION)
    assert restore_state.is_recovering(tmp_path) is (signal or not promoted)
    restore_state.write(tmp_path, FOUND._replace(ended_at=1.0))
    assert not restore_state.is_recovering(tmp_path)
    assert restore_state.done_to(tmp_path, "s3://b/x") == "lsn 0/5"
    assert restore_state.done_to(tmp_path, "s3://b/y") == ""
