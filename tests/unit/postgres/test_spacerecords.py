"""CREATE TABLESPACE records in a segment, wherever they lie on its pages."""

import io
import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from walsup.postgres.control import crc32c
from walsup.postgres.spacerecords import Created, in_segment

_PAGE, _SEGMENT = 8192, 1 << 20
_START = 7 * _SEGMENT


def _record(rmid: int, info: int, data: bytes) -> bytes:
    """A record without blocks, as xloginsert.c assembles it."""
    head = (
        b"\xff" + bytes([len(data)]) if len(data) < 256 else b"\xfe" + struct.pack("<I", len(data))
    )
    body = head + data
    header = struct.pack("<IIQBBH", 24 + len(body), 0, 0, info, rmid, 0)
    return header + struct.pack("<I", crc32c(header, crc32c(body))) + body


def _create(number: int, location: bytes) -> bytes:
    return _record(5, 0, struct.pack("<I", number) + location + b"\0")


def _wal(records: list[bytes], start_lsn: int) -> tuple[bytes, list[int]]:
    """Lay records on pages; gives whole segments, and the LSN of each record."""
    out, lsns = bytearray(), []

    def header(rest: int) -> None:
        first = len(out) % _SEGMENT == 0
        info = (2 if first else 0) | (1 if rest else 0)
        out.extend(struct.pack("<HHIQI4x", 0xD110, info, 1, start_lsn + len(out), rest))
        if first:
            out.extend(struct.pack("<QII", 4711, _SEGMENT, _PAGE))

    for record in records:
        if len(out) % _PAGE == 0:
            header(0)
        lsns.append(start_lsn + len(out))
        left = record
        while left:
            if len(out) % _PAGE == 0:
                header(len(left))
            room = _PAGE - len(out) % _PAGE
            out.extend(left[:room])
            left = left[room:]
        out.extend(bytes(-len(out) % 8))
    out.extend(bytes(-len(out) % _SEGMENT))
    return bytes(out), lsns


def _found(wal: bytes, start_lsn: int = _START) -> list[Created]:
    found, before = [], b""
    for at in range(0, len(wal), _SEGMENT):
        content = wal[at : at + _SEGMENT]
        found += in_segment(io.BytesIO(content), start_lsn + at, before)
        before = content[-_PAGE:]
    return found


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 9000), st.integers(1, 1000)), min_size=1, max_size=12))
def test_each_is_found_wherever_pages_cut_it(shape: list[tuple[int, int]]) -> None:
    """Fillers of any length before each; records go over pages and segments."""
    records, wanted = [], []
    for number, (filler, length) in enumerate(shape, 16384):
        records += [_record(10, 0, b"\x05" * filler), _create(number, b"/" + b"x" * length)]
        wanted.append((number, "/" + "x" * length))
    wal, lsns = _wal(records, _START)
    assert _found(wal) == [
        Created(number, place, lsn) for (number, place), lsn in zip(wanted, lsns[1::2], strict=True)
    ]


def test_one_that_goes_on_in_the_next_segment_is_found_there() -> None:
    """Each cut of it, at every multiple of 8 bytes before the end of the segment."""
    create = _create(16385, b"/over/the/end/of/the/segment")
    for inside in range(8, len(create), 8):
        room = _SEGMENT - 40 - (_SEGMENT // _PAGE - 1) * 24 - inside
        wal, lsns = _wal([_record(10, 0, bytes(room - 24 - 5)), create], _START)
        assert lsns[1] == _START + _SEGMENT - inside
        assert _found(wal) == [Created(16385, "/over/the/end/of/the/segment", lsns[1])]
        assert in_segment(io.BytesIO(wal[:_SEGMENT]), _START) == []


def test_what_only_looks_like_one_is_none() -> None:
    """Inside another record's data; on a recycled page; with a wrong checksum; of another kind."""
    create = _create(16385, b"/elsewhere")
    padded = create + bytes(-len(create) % 8)
    inside, _ = _wal([_record(10, 0, bytes(8 - (24 + 5) % 8) + padded * 20)], _START)
    assert create in inside
    assert _found(inside) == []
    wal, _ = _wal([create], _START)
    assert _found(wal)
    assert _found(wal, _START + _SEGMENT) == []
    assert _found(wal.replace(b"/elsewhere", b"/elsewherf")) == []
    drop, _ = _wal([_record(5, 0x10, struct.pack("<I", 16385))], _START)
    assert _found(drop) == []


@given(st.binary(max_size=4096))
def test_anything_else_holds_none(content: bytes) -> None:
    """Whatever the bytes: postgres finds no record there either."""
    assert in_segment(io.BytesIO(content), _START, content) == []
