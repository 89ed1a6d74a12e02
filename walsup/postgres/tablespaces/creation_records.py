"""The CREATE TABLESPACE records of a WAL segment, found without pg_waldump. Pure.

Reading record by record would take longer than replaying them. All records of PostgreSQL begin at
a multiple of 8 bytes, so the bytes at which a record's resource manager stands are looked at alone,
and only a hit is proven: a record begins there, on a page of this segment, with the right checksum.
Source: PostgreSQL 11 to 18, xlog_internal.h, xlogrecord.h, tablespace.h, rmgrlist.h.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

_PAGE = struct.Struct("<HHIQI")  # magic, info, timeline, address, rest of a record before it
_LONG_HEADER = 0x0002
_LONG_HEADER_BYTES, _SHORT_HEADER_BYTES = 40, 24
_BLOCK_BYTES = struct.Struct("<I")
_BLOCK_BYTES_AT = 36
_LEAST_BLOCK_BYTES, _MOST_BLOCK_BYTES = 1024, 65536

_RECORD_HEADER_BYTES = 24
_LENGTH = struct.Struct("<I")
_CRC_AT = 20
_RMID_IN_WORD = 1  # the third word of a record: info, resource manager, 2 of padding, checksum
_WORD, _WORD_AT = 8, 16
_TABLESPACE, _CREATE = 5, 0x00
_INFO_OF_RMGR = 0xF0
_LONGEST_BYTES = 4096  # a path has at most 1024
_PIECE_BYTES = 1 << 18  # in one piece: fits a processor's cache, and limits the agent's memory

_DATA_SHORT, _DATA_LONG, _ORIGIN, _TOP_XID = 255, 254, 253, 252
_HEADER_BYTES = {_ORIGIN: 3, _TOP_XID: 5}
_OID = struct.Struct("<I")


class Created(NamedTuple):
    """A tablespace whose creation a replay would repeat; `lsn`: where its record begins."""

    number: int
    location: str
    lsn: int


def in_segment(segment: BinaryIO, start_lsn: int, before: bytes = b"") -> list[Created]:
    """Return the tablespaces whose creation ends in the segment that begins there.

    None when it is not WAL of that position, which postgres would not replay either. `before`: the
    last pages of the segment before it, in which a record may have begun.
    """
    block_bytes = _block_bytes(segment)
    if not block_bytes:
        return []
    # One buffer for all pieces, each behind the last page of the one before: copies and new memory
    # would take longer than the search.
    data = bytearray(block_bytes + _PIECE_BYTES)
    if len(before) >= block_bytes:
        data[:block_bytes] = before[-block_bytes:]
    with memoryview(data) as buffer:
        found: list[Created] = []
        while (size := _read_into(segment, buffer[block_bytes:])) and size % block_bytes == 0:
            whole = data if size == _PIECE_BYTES else data[: block_bytes + size]
            found += _created(_Pages(whole, block_bytes, start_lsn - block_bytes))
            start_lsn += size
            buffer[:block_bytes] = buffer[size : block_bytes + size]
        return found


def _read_into(segment: BinaryIO, buffer: memoryview) -> int:
    """Fill the buffer as far as the segment reaches; return the bytes read."""
    with buffer:
        return segment.readinto(buffer)  # type: ignore[attr-defined, no-any-return]


def _block_bytes(segment: BinaryIO) -> int:
    """Return the page size from the first page, 0 when it is not a page."""
    first = segment.read(_LONG_HEADER_BYTES)
    segment.seek(0)
    if len(first) < _LONG_HEADER_BYTES:
        return 0
    (found,) = _BLOCK_BYTES.unpack_from(first, _BLOCK_BYTES_AT)
    fits = _LEAST_BLOCK_BYTES <= found <= _MOST_BLOCK_BYTES and found & (found - 1) == 0
    return int(found) if fits else 0


def _created(pages: "_Pages") -> list[Created]:
    """Return the tablespaces whose creation ends in these pages, after the first of them.

    What ended in the first page was found there.
    """
    records = (pages.record(at) for at in _words(pages.data))
    return [found for record in records if record and (found := _read(*record))]


def _words(data: bytearray) -> Iterator[int]:
    """Yield where the third word of a record may be."""
    managers = data[_RMID_IN_WORD::_WORD]
    index = managers.find(_TABLESPACE)
    while index >= 0:
        at = index * _WORD
        if data[at] & _INFO_OF_RMGR == _CREATE and data[at + 2] == data[at + 3] == 0:
            yield at
        index = managers.find(_TABLESPACE, index + 1)


class _Pages:
    """Pages one after another, of which the first has the address `lsn`."""

    def __init__(self, data: bytearray, block_bytes: int, lsn: int) -> None:
        self.data = data
        self._block_bytes = block_bytes
        self._lsn = lsn

    def record(self, word_at: int) -> tuple[int, bytes] | None:
        """Return the LSN and the bytes of the record whose third word is there, if there is one.

        It ends after the first page.
        """
        start = self._start(word_at)
        if start is None:
            return None
        (length,) = _LENGTH.unpack_from(self.data, start)
        if not _RECORD_HEADER_BYTES < length <= _LONGEST_BYTES or not self._begins(start):
            return None
        found, end = self._gather(start, length)
        whole = len(found) == length and end > self._block_bytes
        return (self._lsn + start, found) if whole else None

    def _gather(self, start: int, length: int) -> tuple[bytes, int]:
        """Return the bytes of a record, fewer where its pages end, and where they end."""
        found, at = b"", start
        while True:
            page_end = at - at % self._block_bytes + self._block_bytes
            end = min(page_end, at + length - len(found))
            found += self.data[at:end]
            if len(found) == length or not self._is_page(page_end):
                return found, end
            at = page_end + self._header_bytes(page_end)

    def _start(self, word_at: int) -> int | None:
        """Return where a record with its third word there begins, possibly on the page before."""
        page = word_at - word_at % self._block_bytes
        if not self._is_page(page):
            return None
        inside = word_at - page - self._header_bytes(page)
        if inside >= _WORD_AT:
            return word_at - _WORD_AT
        if inside < 0 or not page:
            return None
        return page - (_WORD_AT - inside)

    def _begins(self, start: int) -> bool:
        """Return whether a record begins there, by a walk from the page's first record."""
        page = start - start % self._block_bytes
        if not self._is_page(page):
            return False
        rest = _PAGE.unpack_from(self.data, page)[4]
        at = page + self._header_bytes(page) + _aligned(rest)
        while at < start:
            (length,) = _LENGTH.unpack_from(self.data, at)
            if length < _RECORD_HEADER_BYTES:
                return False
            at += _aligned(length)
        return at == start

    def _is_page(self, at: int) -> bool:
        if at + _SHORT_HEADER_BYTES > len(self.data):
            return False
        return bool(_PAGE.unpack_from(self.data, at)[3] == self._lsn + at)

    def _header_bytes(self, at: int) -> int:
        is_long = _PAGE.unpack_from(self.data, at)[1] & _LONG_HEADER
        return _LONG_HEADER_BYTES if is_long else _SHORT_HEADER_BYTES


def _aligned(length: int) -> int:
    return -(-length // _WORD) * _WORD


def _read(lsn: int, record: bytes) -> Created | None:
    from walsup.postgres.pg_control import crc32c  # noqa: PLC0415 (most segments need none)

    (stored,) = _LENGTH.unpack_from(record, _CRC_AT)
    if crc32c(record[:_CRC_AT], crc32c(record[_RECORD_HEADER_BYTES:])) != stored:
        return None
    at = _RECORD_HEADER_BYTES
    while at < len(record) and record[at] in _HEADER_BYTES:
        at += _HEADER_BYTES[record[at]]
    if at >= len(record) or record[at] not in (_DATA_SHORT, _DATA_LONG):
        return None
    data = record[at + (2 if record[at] == _DATA_SHORT else 5) :]
    location = data[_OID.size :].partition(b"\0")[0].decode(errors="surrogateescape")
    return Created(_OID.unpack_from(data)[0], location, lsn)
