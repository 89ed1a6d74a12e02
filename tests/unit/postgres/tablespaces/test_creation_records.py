"""CREATE TABLESPACE records in a segment, wherever they lie on its pages."""

import io
import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.postgres.walbytes import PAGE_BYTES, SEGMENT_BYTES, START_LSN, laid, record
from tests.unit.postgres.walbytes import create as created_by
from walsup.postgres.tablespaces.creation_records import Created, in_segment


def _found(wal: bytes, start_lsn: int = START_LSN) -> list[Created]:
    found, before = [], b""
    for at in range(0, len(wal), SEGMENT_BYTES):
        content = wal[at : at + SEGMENT_BYTES]
        found += in_segment(io.BytesIO(content), start_lsn + at, before)
        before = content[-PAGE_BYTES:]
    return found


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 9000), st.integers(1, 1000)), min_size=1, max_size=12))
def test_each_is_found_wherever_pages_cut_it(shape: list[tuple[int, int]]) -> None:
    """Fillers of any length before each; records go over pages and segments."""
    records, wanted = [], []
    for number, (filler, length) in enumerate(shape, 16384):
        records += [record(10, 0, b"\x05" * filler), created_by(number, b"/" + b"x" * length)]
        wanted.append((number, "/" + "x" * length))
    wal, lsns = laid(records, START_LSN)
    assert _found(wal) == [
        Created(number, place, lsn) for (number, place), lsn in zip(wanted, lsns[1::2], strict=True)
    ]


def test_one_that_goes_on_in_the_next_segment_is_found_there() -> None:
    """Each cut of it, at every multiple of 8 bytes before the end of the segment."""
    create = created_by(16385, b"/over/the/end/of/the/segment")
    for inside in range(8, len(create), 8):
        room = SEGMENT_BYTES - 40 - (SEGMENT_BYTES // PAGE_BYTES - 1) * 24 - inside
        wal, lsns = laid([record(10, 0, bytes(room - 24 - 5)), create], START_LSN)
        assert lsns[1] == START_LSN + SEGMENT_BYTES - inside
        assert _found(wal) == [Created(16385, "/over/the/end/of/the/segment", lsns[1])]
        assert in_segment(io.BytesIO(wal[:SEGMENT_BYTES]), START_LSN) == []


def test_what_only_looks_like_one_is_none() -> None:
    """Inside another record's data; on a recycled page; with a wrong checksum; of another kind."""
    create = created_by(16385, b"/elsewhere")
    padded = create + bytes(-len(create) % 8)
    inside, _ = laid([record(10, 0, bytes(8 - (24 + 5) % 8) + padded * 20)], START_LSN)
    assert create in inside
    assert _found(inside) == []
    wal, _ = laid([create], START_LSN)
    assert _found(wal)
    assert _found(wal, START_LSN + SEGMENT_BYTES) == []
    assert _found(wal.replace(b"/elsewhere", b"/elsewherf")) == []
    drop, _ = laid([record(5, 0x10, struct.pack("<I", 16385))], START_LSN)
    assert _found(drop) == []


@given(st.binary(max_size=4096))
def test_anything_else_holds_none(content: bytes) -> None:
    """Whatever the bytes: postgres finds no record there either."""
    assert in_segment(io.BytesIO(content), START_LSN, content) == []
