"""The records at the beginning of a segment: whether a restore without them would lack anything.

Every change of a transaction is a record with its xid. Records without one are PostgreSQL's own
upkeep (checkpoints, snapshots for standbys, vacuum), but for a few: COMMIT PREPARED has the xid in
its body, a restore point and a message may have none. Only what is known to be upkeep counts as
nothing. Pure.
Source: PostgreSQL 11 to 18, xlog_internal.h (XLogPageHeaderData), xlogrecord.h (XLogRecord),
rmgrlist.h, pg_control.h.
"""

import struct

_PAGE_BYTES = 8192
_SHORT_HEADER_BYTES, _LONG_HEADER_BYTES = 24, 40
_FIRST_IS_CONTINUED, _LONG_HEADER, _OVERWRITES = 0x0001, 0x0002, 0x0008
_PAGE = struct.Struct("<HHIQI")  # magic, info, timeline, address, rest of a record before it
_RECORD = struct.Struct("<II")  # total length, xid
_RECORD_HEADER_BYTES = 24
_KIND, _KIND_AT = struct.Struct("<BB"), 16  # info, resource manager
_INFO_OF_RMGR = 0xF0
_ALIGNED = 8

_XLOG, _RESTORE_POINT = 0, 0x70
# Resource managers whose records without an xid are upkeep: xlog, clog, multixact, standby, heap2,
# heap, btree, hash, gin, gist, spgist, brin, commit_ts.
_UPKEEP = frozenset((_XLOG, 3, 6, 8, 9, 10, 11, 12, 13, 14, 16, 17, 18))


def only_upkeep(data: bytes, start_lsn: int, end_lsn: int, timeline: int) -> bool:
    """Return whether all records from the segment's start up to `end_lsn` are PostgreSQL's upkeep.

    `data`: the segment's first bytes, up to `end_lsn` at least. False also when they cannot be
    parsed: an earlier use of the file, or a record that began in the segment before.
    """
    pages = _Pages(data, start_lsn, timeline)
    end = end_lsn - start_lsn
    try:
        at = pages.body(0)
        while at < end:
            length, xid = _RECORD.unpack(pages.read(at, _RECORD.size))
            if xid or length < _RECORD_HEADER_BYTES:
                return False
            info, manager = _KIND.unpack(pages.read(pages.after(at, _KIND_AT), _KIND.size))
            if manager not in _UPKEEP:
                return False
            if manager == _XLOG and info & _INFO_OF_RMGR == _RESTORE_POINT:
                return False
            at = pages.after(at, length)
    except (struct.error, ValueError):
        return False
    return True


class _Pages:
    def __init__(self, data: bytes, start_lsn: int, timeline: int) -> None:
        self._data = data
        self._start_lsn = start_lsn
        self._timeline = timeline

    def body(self, page: int) -> int:
        """Return where a page's content begins.

        Raises:
            ValueError: it is another page; struct.error: it is absent.
        """
        at = page * _PAGE_BYTES
        _, info, timeline, address, rest = _PAGE.unpack_from(self._data, at)
        if (timeline, address) != (self._timeline, self._start_lsn + at):
            raise ValueError("another page")
        if info & _OVERWRITES or (page == 0 and (info & _FIRST_IS_CONTINUED or rest)):
            raise ValueError("a record goes on from before")
        return at + (_LONG_HEADER_BYTES if info & _LONG_HEADER else _SHORT_HEADER_BYTES)

    def read(self, at: int, length: int) -> bytes:
        """Return some bytes of one page; the first and the third word of a record are not split."""
        found = self._data[at : at + length]
        if len(found) < length:
            raise ValueError("the end of the data")
        return found

    def after(self, at: int, length: int) -> int:
        """Return where what follows begins, after the headers of the pages in between."""
        while length > 0:
            page_end = (at // _PAGE_BYTES + 1) * _PAGE_BYTES
            taken = min(length, page_end - at)
            length -= taken
            at += taken
            if at == page_end and length:
                at = self.body(at // _PAGE_BYTES)
        at = -(-at // _ALIGNED) * _ALIGNED
        if at % _PAGE_BYTES == 0 and at < len(self._data):
            at = self.body(at // _PAGE_BYTES)
        return at
