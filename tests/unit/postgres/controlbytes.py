"""pg_control made by hand, in the layout of every version."""

import struct
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from walsup.postgres.pg_control import CONTROL_FILE_BYTES, LIMITS, ControlData, DBState, crc32c

MB = 1 << 20
EXPECTED = ControlData(
    system_id=0xFEDC_BA98_7654_3210,
    control_version=1300,
    catalog_version=202209061,
    state=DBState.IN_PRODUCTION,
    checkpoint_lsn=0x1_0000_0060,
    redo_lsn=0x1_0000_0028,
    timeline=12,
    segment_size=16 * MB,
)


def control_file(  # noqa: PLR0913 (each is one field)
    *,
    crc_at: int = 288,
    float_at: int = 216,
    version: int = 1300,
    state: int = 6,
    size: int = 16,
    limits: Mapping[str, int] = MappingProxyType({}),
    told: ControlData | None = None,
) -> bytes:
    """A pg_control; where the later fields lie differs between versions.

    `told`: the identity and the positions, those of EXPECTED where none are given.
    """
    found = told or EXPECTED
    head = struct.pack(
        "<QIIIIqQQI",
        found.system_id,
        version,
        found.catalog_version,
        state,
        0,
        1_700_000_000,
        found.checkpoint_lsn,
        found.redo_lsn,
        found.timeline,
    )
    sizes = struct.pack(
        "<dIIII", 1234567.0, 8192, 131072, 8192, told.segment_size if told else size * MB
    )
    # Between them and the sizes are track_commit_timestamp and maxAlign.
    five = struct.pack("<5I", *(limits.get(name, 0) for name in LIMITS)) if limits else b""
    middle = head.ljust(float_at - len(five) - 12, b"\x01") + five
    body = (middle.ljust(float_at, b"\x01") + sizes).ljust(crc_at, b"\x02")
    return (body + struct.pack("<I", crc32c(body))).ljust(CONTROL_FILE_BYTES, b"\0")


def pgdata_with(tmp_path: Path, data: bytes) -> Path:
    """A data directory with this control file."""
    (tmp_path / "global").mkdir()
    (tmp_path / "global" / "pg_control").write_bytes(data)
    return tmp_path
