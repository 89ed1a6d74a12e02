"""The tablespaces that a fetched file creates. Standard library only: restore_client.py uses it."""

# ruff: noqa: PTH118, PTH120, PTH123, PTH208 -- pathlib would cost each start of it 5 ms

import os
from typing import BinaryIO

from walsup.postgres.tablespaces import creation_records
from walsup.postgres.tablespaces.creation_records import Created

_SEGMENT_DIGITS = 24
_DIGITS = frozenset("0123456789ABCDEF")
_LOG_BYTES = 1 << 32
_TAIL_BYTES = 1 << 16  # the largest page


def created(name: str, path: str) -> list[Created]:
    """Return the tablespaces that a file of the archive creates: none when it is no segment.

    Raises:
        OSError: it cannot be read.
    """
    if len(name) != _SEGMENT_DIGITS or not _DIGITS.issuperset(name):
        return []
    with open(path, "rb") as segment:
        size = os.fstat(segment.fileno()).st_size or _LOG_BYTES
        number = int(name[8:16], 16) * (_LOG_BYTES // size) + int(name[16:], 16)
        before = _tail(os.path.dirname(path), name, number, size)
        return creation_records.in_segment(segment, number * size, before)


def _tail(pg_wal: str, name: str, number: int, size: int) -> bytes:
    """Return the last pages of the segment before, b"" when it is not there any more.

    Postgres keeps what it has read until the next restartpoint. Of what was recycled the pages say
    another position.
    """
    log, low = divmod(max(0, number - 1), _LOG_BYTES // size)
    ending = f"{log:08X}{low:08X}"
    names = [n for n in os.listdir(pg_wal) if n.endswith(ending) and n[:8] <= name[:8]]
    if not names:
        return b""
    with open(os.path.join(pg_wal, max(names)), "rb") as before:
        return last_pages(before)


def last_pages(segment: BinaryIO) -> bytes:
    """Return the end of a segment, in which a record of the next one may begin."""
    segment.seek(-min(_TAIL_BYTES, os.fstat(segment.fileno()).st_size), os.SEEK_END)
    return segment.read()
