"""The name of the role that initdb made, read from the data directory without a session.

A migrated cluster may have another superuser than the settings name, and then no login works that
could ask for it.
"""

import re
import struct
from collections.abc import Iterator
from pathlib import Path

_OID = 10  # Source: PostgreSQL, pg_authid.dat, BOOTSTRAP_SUPERUSERID
_PG_AUTHID = 1260
_OID_IS_A_COLUMN_SINCE = 12
_BLOCK_BYTES = 8192
# Source: bufpage.h, PageHeaderData (24 bytes: pd_lower is at 12), ItemIdData.
_LOWER = struct.Struct("=H")
_LINES_BEGIN = 24
_NORMAL = 1
# Source: htup_details.h, HeapTupleHeaderData: t_xmax, t_infomask, t_hoff; infomask bits.
_T_XMAX, _T_INFOMASK, _T_HOFF = 4, 20, 22
_XMAX_INVALID, _XMAX_LOCK_ONLY, _XMIN_COMMITTED, _XMIN_INVALID = 0x0800, 0x0080, 0x0100, 0x0200
_NAME_BYTES = 64
# Source: relmapper.c, RelMapFile: magic, number of mappings, pairs of oid and file.
_MAP_MAGIC = 0x592717
_MD5 = re.compile(rb"md5[0-9a-f]{32}")


def bootstrap_role(pgdata: Path) -> str | None:
    """Return the name of the role with oid 10; None when it cannot be read."""
    return roles(pgdata).get(_OID)


def roles(pgdata: Path) -> dict[int, str]:
    """Return the names of the roles by oid, as far as they can be read.

    After a recent change the old name may be returned: the block is not on disk yet.
    """
    found: dict[int, str] = {}
    try:
        if int((pgdata / "PG_VERSION").read_text(encoding="ascii")) < _OID_IS_A_COLUMN_SINCE:
            return found
        content = _file(pgdata).read_bytes()
        for begin in range(0, len(content) - _BLOCK_BYTES + 1, _BLOCK_BYTES):
            found.update(_in_block(content[begin : begin + _BLOCK_BYTES]))
    except (OSError, ValueError, KeyError, struct.error):
        return found
    return found


def has_md5_password(pgdata: Path) -> bool:
    """Return whether a role's password may be stored as an MD5 hash, which SCRAM cannot check."""
    try:
        return bool(_MD5.search(_file(pgdata).read_bytes()))
    except (OSError, ValueError, KeyError, struct.error):
        return True


def _file(pgdata: Path) -> Path:
    folder = pgdata / "global"
    content = (folder / "pg_filenode.map").read_bytes()
    magic, number = struct.unpack_from("=ii", content)
    if magic != _MAP_MAGIC:
        raise ValueError("not a relation map")
    for oid, file in struct.iter_unpack("=II", content[8 : 8 + 8 * number]):
        if oid == _PG_AUTHID:
            return folder / str(file)
    raise ValueError("pg_authid is not in the relation map")


def _in_block(block: bytes) -> Iterator[tuple[int, str]]:
    (lower,) = _LOWER.unpack_from(block, 12)
    for place in range(_LINES_BEGIN, min(lower, _BLOCK_BYTES) - 3, 4):
        (item,) = struct.unpack_from("=I", block, place)
        offset, flags, length = item & 0x7FFF, item >> 15 & 3, item >> 17
        if flags == _NORMAL and (row := _row(block[offset : offset + length])):
            yield row


def _row(row: bytes) -> tuple[int, str] | None:
    if len(row) <= _T_HOFF or len(row) < row[_T_HOFF] + 4 + _NAME_BYTES:
        return None
    (xmax,) = struct.unpack_from("=I", row, _T_XMAX)
    (mask,) = struct.unpack_from("=H", row, _T_INFOMASK)
    is_dead = xmax and not mask & (_XMAX_INVALID | _XMAX_LOCK_ONLY)
    is_aborted = mask & _XMIN_INVALID and not mask & _XMIN_COMMITTED
    if is_dead or is_aborted:
        return None
    oid, name = struct.unpack_from(f"=I{_NAME_BYTES}s", row, row[_T_HOFF])
    return oid, name.split(b"\0")[0].decode("utf-8", errors="replace")
