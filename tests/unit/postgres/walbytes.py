"""WAL made of chosen records, in small segments."""

import struct

from walsup.postgres.pg_control import crc32c

PAGE_BYTES, SEGMENT_BYTES = 8192, 1 << 20
START_LSN = 7 * SEGMENT_BYTES


def record(rmid: int, info: int, data: bytes) -> bytes:
    """A record without blocks, as xloginsert.c assembles it."""
    head = (
        b"\xff" + bytes([len(data)]) if len(data) < 256 else b"\xfe" + struct.pack("<I", len(data))
    )
    body = head + data
    header = struct.pack("<IIQBBH", 24 + len(body), 0, 0, info, rmid, 0)
    return header + struct.pack("<I", crc32c(header, crc32c(body))) + body


def create(number: int, location: bytes) -> bytes:
    """A CREATE TABLESPACE record."""
    return record(5, 0, struct.pack("<I", number) + location + b"\0")


def laid(records: list[bytes], start_lsn: int) -> tuple[bytes, list[int]]:
    """Lay records on pages; gives whole segments, and the LSN of each record."""
    out, lsns = bytearray(), []

    def header(rest: int) -> None:
        first = len(out) % SEGMENT_BYTES == 0
        info = (2 if first else 0) | (1 if rest else 0)
        out.extend(struct.pack("<HHIQI4x", 0xD110, info, 1, start_lsn + len(out), rest))
        if first:
            out.extend(struct.pack("<QII", 4711, SEGMENT_BYTES, PAGE_BYTES))

    for record in records:
        if len(out) % PAGE_BYTES == 0:
            header(0)
        lsns.append(start_lsn + len(out))
        left = record
        while left:
            if len(out) % PAGE_BYTES == 0:
                header(len(left))
            room = PAGE_BYTES - len(out) % PAGE_BYTES
            out.extend(left[:room])
            left = left[room:]
        out.extend(bytes(-len(out) % 8))
    out.extend(bytes(-len(out) % SEGMENT_BYTES))
    return bytes(out), lsns
