"""pg_control of a data directory, read without running a program."""

import enum
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from walsup.errors import DataDirectoryError, PermissionsError, VersionError
from walsup.postgres import is_segment_size

PATH = Path("global", "pg_control")
CONTROL_FILE_BYTES = 8192
RETRIES = 3
RETRY_PAUSE_S = 0.01

# Source: PostgreSQL 11 to 18, pg_control.h. After the timeline the fields move between versions, so
# the rest is found by its surroundings: FLOATFORMAT_VALUE, and a CRC that matches.
_HEAD = struct.Struct("<QIIIxxxxqQQI")
_SIZES = struct.Struct("<IIII")
_FLOAT_FORMAT = struct.pack("<d", 1234567.0)
_CRC = struct.Struct("<I")
_CRC_OFFSETS = range(200, 513, 4)
_OLDEST_CONTROL_VERSION = 1100
_CASTAGNOLI = 0x82F63B78
# Source: PostgreSQL 12 to 18, pg_control.h: these, then a bool, maxAlign and the float.
LIMITS = (
    "max_connections",
    "max_worker_processes",
    "max_wal_senders",
    "max_prepared_transactions",
    "max_locks_per_transaction",
)
_LIMITS_SINCE = 1200
_ALIGNMENTS = (4, 8)
_INT = struct.Struct("<i")
# Source: PostgreSQL 12 to 18, pg_control.h: wal_level and wal_log_hints come before them.
_WAL_LEVEL_BEFORE = 8
# Source: PostgreSQL 11 to 18, pg_control.h: CheckPoint.time; the next xid was an epoch and an xid.
_TIME = struct.Struct("<q")
_TIME_AT = 104
_TIME_AT_BEFORE_12 = 96
WAL_LEVELS = ("minimal", "replica", "logical")


class DBState(enum.IntEnum):
    """The cluster's state when pg_control was last written."""

    STARTING_UP = 0
    SHUT_DOWN = 1
    SHUT_DOWN_IN_RECOVERY = 2
    SHUTTING_DOWN = 3
    IN_CRASH_RECOVERY = 4
    IN_ARCHIVE_RECOVERY = 5
    IN_PRODUCTION = 6

    @property
    def label(self) -> str:
        """Return pg_controldata's words for it."""
        return self.name.lower().replace("_", " ")


class ControlData(NamedTuple):
    """The identity of a cluster and its last checkpoint.

    `limits`: the five settings that recovery compares, as the primary had them; empty before
    PostgreSQL 12. `checkpoint_at`: the time of the last checkpoint (Unix seconds). `wal_level`: as
    the server that wrote the file had it, an index of WAL_LEVELS; -1 before PostgreSQL 12.
    """

    system_id: int
    control_version: int
    catalog_version: int
    state: DBState
    checkpoint_lsn: int
    redo_lsn: int
    timeline: int
    segment_size: int
    limits: tuple[tuple[str, int], ...] = ()
    checkpoint_at: int = 0
    wal_level: int = -1


def _crc_table() -> Iterator[int]:
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (_CASTAGNOLI if crc & 1 else 0)
        yield crc


_CRC_TABLE = tuple(_crc_table())


def crc32c(data: bytes, crc: int = 0) -> int:
    """Return the CRC-32C of `data`, continuing from the `crc` of the bytes before it."""
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def _crc_offset(data: bytes) -> int:
    """Return the offset of the CRC that matches all bytes before it; it differs by version."""
    crc = done = 0
    for offset in _CRC_OFFSETS:
        crc, done = crc32c(data[done:offset], crc), offset
        if _CRC.unpack_from(data, offset) == (crc,):
            return offset
    problem = "its checksum does not match"
    raise ValueError(problem)


def parse(data: bytes) -> ControlData:
    """Return the content of a pg_control file.

    Raises: ValueError, with what is wrong, when it is damaged; VersionError before PostgreSQL 11.
    """
    if len(data) != CONTROL_FILE_BYTES:
        problem = f"it has {len(data)} bytes, not {CONTROL_FILE_BYTES}"
        raise ValueError(problem)
    end = _crc_offset(data)
    system_id, control_version, catalog_version, state, _, checkpoint_lsn, redo_lsn, timeline = (
        _HEAD.unpack_from(data)
    )
    if control_version < _OLDEST_CONTROL_VERSION:
        problem = f"pg_control version {control_version} is older than PostgreSQL 11"
        raise VersionError(problem, hint="upgrade the cluster with pg_upgrade first")
    found = data.find(_FLOAT_FORMAT, _HEAD.size, end)
    if found < 0:
        problem = "its float format is that of another platform"
        raise ValueError(problem)
    *_, segment_size = _SIZES.unpack_from(data, found + len(_FLOAT_FORMAT))
    if not is_segment_size(segment_size):
        problem = f"its segment size is {segment_size}"
        raise ValueError(problem)
    return ControlData(
        system_id=system_id,
        control_version=control_version,
        catalog_version=catalog_version,
        state=DBState(state),
        checkpoint_lsn=checkpoint_lsn,
        redo_lsn=redo_lsn,
        timeline=timeline,
        segment_size=segment_size,
        **_later_fields(data, found, control_version),
    )


def _later_fields(data: bytes, float_at: int, control_version: int) -> dict[str, Any]:
    """Return `limits`, `checkpoint_at` and `wal_level`, whose place depends on the version."""
    if control_version < _LIMITS_SINCE:
        return {"checkpoint_at": _TIME.unpack_from(data, _TIME_AT_BEFORE_12)[0]}
    first = _first_limit(data, float_at)
    limits = ((name, _INT.unpack_from(data, first + 4 * n)[0]) for n, name in enumerate(LIMITS))
    return {
        "limits": tuple(limits),
        "checkpoint_at": _TIME.unpack_from(data, _TIME_AT)[0],
        "wal_level": _INT.unpack_from(data, first - _WAL_LEVEL_BEFORE)[0],
    }


def _first_limit(data: bytes, float_at: int) -> int:
    """Return the offset of the settings before track_commit_timestamp and maxAlign."""
    align_at = float_at - 4
    if _INT.unpack_from(data, align_at)[0] not in _ALIGNMENTS:
        align_at -= 4  # padding before the double
    return align_at - 4 - 4 * len(LIMITS)


def read(pgdata: Path, *, pause: Callable[[float], object] = time.sleep) -> ControlData:
    """Return the control data of the cluster in `pgdata`.

    A postgres that writes it meanwhile can show a torn file, so only lasting damage counts.

    Raises: DataDirectoryError when it is absent or damaged; PermissionsError when it may not be
    read; VersionError before PostgreSQL 11.
    """
    path = pgdata / PATH
    for attempts_left in range(RETRIES, -1, -1):
        try:
            return parse(path.read_bytes())
        except PermissionError:
            problem = f"{path} cannot be read: this user has no permission"
            hint = "give the data directory to the user that the container runs as"
            raise PermissionsError(problem, hint=hint) from None
        except OSError as error:
            problem = f"{path} cannot be read: {(error.strerror or str(error)).lower()}"
            hint = "mount the volume with a complete data directory, or restore from the archive"
            raise DataDirectoryError(problem, hint=hint) from error
        except ValueError as error:
            if not attempts_left:
                problem = f"{path} is damaged: {error}"
                hint = "restore from the archive; pg_resetwal would lose committed data"
                raise DataDirectoryError(problem, hint=hint) from error
        pause(RETRY_PAUSE_S)
    raise AssertionError
