"""Checks whether a segment is what its name says, by reading it."""

import asyncio
import filecmp
import struct
from pathlib import Path
from typing import NamedTuple

from walsup.archive.catalog.archive_reader import PERMANENT, Reader
from walsup.archive.faults import FaultError, FaultKind
from walsup.postgres.wal import LONG_PAGE_HEADER_BYTES, Segment, long_page_header

# Source: PostgreSQL 11 to 18, xlog_internal.h, XLogPageHeaderData: magic, info, timeline, address.
_HEAD = struct.Struct("<HHIQ")
_BLOCK_SIZE_AT = 36  # xlp_xlog_blcksz in the long header


class Expected(NamedTuple):
    """What the pages of a segment must contain. `timelines`: those of the line, up to its own."""

    segment: Segment
    system_id: int
    timelines: frozenset[int]


def wrong(path: Path, expected: Expected) -> str:
    """Return what is wrong with the file of a segment, "" when nothing is.

    Every page header is checked. After a switch all bytes are zero, up to the end.

    Raises:
        OSError: it cannot be read.
    """
    segment = expected.segment
    with path.open("rb") as file:
        try:
            first = file.read(LONG_PAGE_HEADER_BYTES)
            head = long_page_header(first)
        except ValueError as raised:
            return str(raised)
        if head.system_id != expected.system_id:
            return f"it belongs to the cluster with system identifier {head.system_id}"
        if head.segment_size != segment.size or path.stat().st_size != segment.size:
            return f"it has {path.stat().st_size} bytes"
        block = int.from_bytes(first[_BLOCK_SIZE_AT : _BLOCK_SIZE_AT + 4], "little")
        magic = first[:2]
        file.seek(0)
        for offset in range(0, segment.size, block):
            page = file.read(block)
            if not any(page[: _HEAD.size]):
                return "" if _is_zero(page, file.read()) else f"its page at byte {offset} is empty"
            _, _, timeline, address = _HEAD.unpack_from(page)
            if (
                page[:2] != magic
                or address != segment.start_lsn + offset
                or timeline not in expected.timelines
            ):
                return f"its page at byte {offset} belongs to another segment"
    return ""


def _is_zero(*pieces: bytes) -> bool:
    return not any(piece.strip(b"\0") for piece in pieces)


async def problem(reader: Reader, pg_wal: Path, expected: Expected) -> str | None:
    """Read an archived segment; return what is wrong with it, "" when nothing is.

    None: it could not be read now, which proves nothing.
    """
    name = expected.segment.name
    try:
        path = await reader.fetch(name)
    except FaultError as raised:
        # Without the passphrase nothing is known of the object.
        if raised.fault.kind in PERMANENT and raised.fault.kind != FaultKind.NO_PRIVATE_KEY:
            return f"it cannot be decompressed or decrypted ({raised.fault.problem[:200]})"
        return None
    try:
        return await asyncio.to_thread(_compare, path, pg_wal / name, expected)
    finally:
        path.unlink(missing_ok=True)


def _compare(path: Path, own: Path, expected: Expected) -> str:
    if problem := wrong(path, expected):
        return problem
    try:
        if own.exists() and not wrong(own, expected) and not filecmp.cmp(path, own, shallow=False):
            return "its bytes differ from the same segment in pg_wal"
    except FileNotFoundError:
        pass  # postgres has removed it meanwhile
    return ""
