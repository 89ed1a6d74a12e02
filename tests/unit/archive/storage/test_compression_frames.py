"""Half a compressed file is told from a whole one."""

import os
import struct

from hypothesis import given
from hypothesis import strategies as st

from walsup.archive.storage.compression_frames import is_whole

blocks = st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=5)


def _judge(content: bytes) -> bool:
    descriptor = os.memfd_create("frames")
    try:
        os.write(descriptor, content)
        return is_whole(descriptor, len(content))
    finally:
        os.close(descriptor)


def _lz4(parts: list[bytes], *, sums: bool, sized: bool) -> bytes:
    flags = 0x40 | (0x14 if sums else 0) | (0x08 if sized else 0)
    head = struct.pack("<IBB", 0x184D2204, flags, 0x40) + (bytes(8) if sized else b"") + b"h"
    body = b"".join(
        struct.pack("<I", len(p) | 1 << 31) + p + (b"sum4" if sums else b"") for p in parts
    )
    return head + body + bytes(4) + (b"sum4" if sums else b"")


def _zstd(parts: list[bytes], *, sums: bool, sized: bool) -> bytes:
    flags = (0x04 if sums else 0) | (0xA0 if sized else 0)
    head = struct.pack("<IB", 0xFD2FB528, flags) + (bytes(4) if sized else b"w")
    last = len(parts) - 1
    body = b"".join(
        (len(p) << 3 | (2 << 1) | (n == last)).to_bytes(3, "little") + p
        for n, p in enumerate(parts)
    )
    return head + body + (b"sum4" if sums else b"")


@given(parts=blocks, sums=st.booleans(), sized=st.booleans())
def test_whole_frames_are_whole_and_every_cut_is_seen(
    parts: list[bytes], *, sums: bool, sized: bool
) -> None:
    """At any byte but none; two frames in a row are whole too."""
    for content in (_lz4(parts, sums=sums, sized=sized), _zstd(parts, sums=sums, sized=sized)):
        assert _judge(content)
        assert _judge(content * 2)
        assert not any(_judge(content[:cut]) for cut in range(len(content)))


def test_what_cannot_be_judged_is_taken_for_whole() -> None:
    """Encrypted or not compressed; empty is never whole."""
    assert _judge(b"anything else")
    assert not _judge(b"")
