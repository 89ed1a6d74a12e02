"""How far a WAL segment's file is written, by its pages."""

import struct
from pathlib import Path

from walsup.postgres.wal import Segment

PAGE_BYTES = 8192

# Source: PostgreSQL 11 to 18, xlog_internal.h, XLogPageHeaderData: magic, info, timeline, address.
_HEAD = struct.Struct("<HHIQ")


def reach(path: Path, name: str, segment_bytes: int) -> int:
    """Return the end of the last page in a row that belongs to the segment, in bytes.

    A recycled file has pages of an earlier segment, with other addresses.
    """
    segment = Segment.parse(name, segment_bytes)
    with path.open("rb") as file:
        for offset in range(0, segment_bytes, PAGE_BYTES):
            file.seek(offset)
            head = file.read(_HEAD.size)
            if len(head) < _HEAD.size:
                return offset
            magic, _, timeline, address = _HEAD.unpack(head)
            if (
                magic >> 8 not in (0xD0, 0xD1)
                or timeline > segment.timeline
                or address != segment.start_lsn + offset
            ):
                return offset
    return segment_bytes
