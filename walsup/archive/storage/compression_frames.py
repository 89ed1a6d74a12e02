"""Whether a compressed file is complete, by its frames. Standard library only.

WAL-G before 3.0.9 writes into a directory under the final name, so a kill or a full disk leaves
half a segment that a listing cannot distinguish from a complete one. Source: lz4_Frame_format.md
1.6.4, RFC 8878 (zstd).
"""

import os

_LZ4 = 0x184D2204
_ZSTD = 0xFD2FB528
_UNCOMPRESSED = 1 << 31
_RLE = 1
_SMALLEST_BYTES = 8  # no segment is smaller, compressed or not


def is_whole(descriptor: int, size: int) -> bool:
    """Return whether the frames end where the file ends; other content counts as complete.

    An encrypted file is such content.
    """
    if size < _SMALLEST_BYTES:
        return False
    at, walk = 0, {_LZ4: _lz4, _ZSTD: _zstd}
    while at < size:
        magic = _number(descriptor, at, 4)
        if magic not in walk:
            return at == 0
        at = walk[magic](descriptor, at + 4, size)
    return at == size


def _lz4(descriptor: int, at: int, size: int) -> int:
    """Return where the frame ends; after the file's end when it is truncated."""
    flags = _number(descriptor, at, 1)
    at += 3 + (8 if flags & 8 else 0) + (4 if flags & 1 else 0)
    while at < size:
        length = _number(descriptor, at, 4)
        at += 4
        if not length:
            return at + (4 if flags & 4 else 0)
        at += (length & ~_UNCOMPRESSED) + (4 if flags & 16 else 0)
    return size + 1


def _zstd(descriptor: int, at: int, size: int) -> int:
    """Return where the frame ends; after the file's end when it is truncated."""
    flags = _number(descriptor, at, 1)
    single = flags >> 5 & 1
    content = (single, 2, 4, 8)[flags >> 6]
    at += 1 + (1 - single) + (0, 1, 2, 4)[flags & 3] + content
    while at < size:
        block = _number(descriptor, at, 3)
        at += 3 + (1 if block >> 1 & 3 == _RLE else block >> 3)
        if block & 1:
            return at + (4 if flags & 4 else 0)
    return size + 1


def _number(descriptor: int, at: int, length: int) -> int:
    return int.from_bytes(os.pread(descriptor, length, at), "little")
