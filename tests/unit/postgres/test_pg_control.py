"""pg_control, from bytes made by hand in the layout of every version."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.postgres.controlbytes import EXPECTED, control_file, pgdata_with
from walsup.errors import DataDirectoryError, VersionError
from walsup.postgres.pg_control import CONTROL_FILE_BYTES, ControlData, DBState, crc32c, parse, read


def _plain(found: ControlData) -> ControlData:
    """Leave out what lies in a part that is filled with other bytes here."""
    return found._replace(limits=(), checkpoint_at=0, wal_level=-1)


def no_pause(_: float) -> None:
    """Retry at once."""


def test_crc32c() -> None:
    """The checksum is Castagnoli's, in one go or in parts (check value of RFC 3720)."""
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(b"6789", crc32c(b"12345")) == 0xE3069283


@given(st.integers(23, 46), st.integers(0, 30))
def test_layout_of_any_version(float_word: int, further_words: int) -> None:
    """Sizes and checksum are found wherever a version puts them."""
    float_at = float_word * 8
    crc_at = float_at + 24 + 4 * further_words
    found = parse(control_file(crc_at=crc_at, float_at=float_at))
    assert _plain(found) == EXPECTED


@pytest.mark.parametrize("state", DBState)
def test_states(state: DBState) -> None:
    """Every state that PostgreSQL writes is known."""
    assert parse(control_file(state=state)).state is state


def test_labels() -> None:
    """States are shown in the words of pg_controldata."""
    assert DBState.SHUT_DOWN_IN_RECOVERY.label == "shut down in recovery"


@given(st.integers(0, 292 * 8 - 1))
def test_any_flipped_bit_is_damage(bit: int) -> None:
    """No single wrong bit before the end of the checksum is believed."""
    data = bytearray(control_file())
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ValueError, match="checksum"):
        parse(bytes(data))


@pytest.mark.parametrize(
    "data", [b"", control_file()[:-1], control_file() + b"x", bytes(CONTROL_FILE_BYTES)]
)
def test_no_control_file(data: bytes) -> None:
    """A file of another length, or of zeros, is damage."""
    with pytest.raises(ValueError, match=r"bytes, not 8192|checksum"):
        parse(data)


@pytest.mark.parametrize("data", [control_file(size=3), control_file(state=9)])
def test_impossible_values(data: bytes) -> None:
    """Values that no PostgreSQL writes are refused, even with a checksum that fits."""
    with pytest.raises(ValueError, match=r"segment size|DBState"):
        parse(data)


def test_old_version() -> None:
    """PostgreSQL 10 had another layout and is refused by name."""
    with pytest.raises(VersionError, match="older than PostgreSQL 11"):
        parse(control_file(version=1002))


def test_absent(tmp_path: Path) -> None:
    """A directory without pg_control is refused with its path and a hint."""
    with pytest.raises(DataDirectoryError, match=r"global/pg_control cannot be read: no such file"):
        read(tmp_path, pause=no_pause)


def test_damaged(tmp_path: Path) -> None:
    """Damage that stays is refused after three further looks."""
    pauses: list[float] = []
    with pytest.raises(DataDirectoryError, match="checksum does not match") as raised:
        read(pgdata_with(tmp_path, bytes(CONTROL_FILE_BYTES)), pause=pauses.append)
    assert pauses == [0.01, 0.01, 0.01]
    assert "restore" in raised.value.hint


def test_write_in_progress(tmp_path: Path) -> None:
    """A torn read is looked at again."""
    pgdata = pgdata_with(tmp_path, control_file()[:4096])

    def finish(_: float) -> None:
        (pgdata / "global" / "pg_control").write_bytes(control_file())

    assert _plain(read(pgdata, pause=finish)) == EXPECTED
