"""WAL by its names, positions and first page: pure functions on text and bytes."""

import enum
import struct
from dataclasses import dataclass, replace
from typing import Self

from walsup.postgres import is_segment_size

# Source: WAL-G 3.0.9 and WAL-RUS 0.4.1 (none, with "none"); .lzo is WAL-E's and WAL-G's before 1.0.
EXTENSIONS = (".lz4", ".zst", ".br", ".lzma", ".gz", ".lzo")
LONG_PAGE_HEADER_BYTES = 40

_UPPER_HEX = frozenset("0123456789ABCDEF")
_ANY_HEX = _UPPER_HEX | frozenset("abcdef")
_LSN_DIGITS = 8
_LOG_BYTES = 1 << 32
_WAL_BYTES = 1 << 64
_XLP_LONG_HEADER = 0x0002
_LONG_PAGE_HEADER = struct.Struct("<HHIQI4xQII")


def parse_lsn(text: str) -> int:
    """Return the byte position of "0/16B3740".

    Raises: ValueError for anything that PostgreSQL's pg_lsn would not read.
    """
    high, slash, low = text.partition("/")
    # int() alone would also read "0x1", "1_0", "+1" and " 1".
    sized = 0 < len(high) <= _LSN_DIGITS and 0 < len(low) <= _LSN_DIGITS
    if not (slash and sized and _ANY_HEX.issuperset(high + low)):
        problem = f"{text!r} is not an LSN: expected two hexadecimal numbers, such as 0/16B3740"
        raise ValueError(problem)
    return int(high, 16) << 32 | int(low, 16)


def show_lsn(lsn: int) -> str:
    """Return an LSN as PostgreSQL 11 to 18 print it."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One WAL segment: number `number`, of `size` bytes, on a timeline."""

    timeline: int
    number: int
    size: int

    def __post_init__(self) -> None:
        """Reject values that no PostgreSQL could have written."""
        if not is_segment_size(self.size):
            problem = f"{self.size} is not a segment size: a power of two from 1 MB to 1 GB"
            raise ValueError(problem)
        if not 0 < self.timeline < 1 << 32:
            problem = f"{self.timeline} is not a timeline: 1 to 4294967295"
            raise ValueError(problem)
        if not 0 <= self.number < _WAL_BYTES // self.size:
            problem = f"{self.number} is not a segment number of segments of {self.size} bytes"
            raise ValueError(problem)

    @classmethod
    def parse(cls, name: str, size: int) -> Self:
        """Return the segment of a file name, whose last 8 digits count up to 4 GB / `size`.

        Raises: ValueError when `name` is no segment's, or none of this size.
        """
        if not is_segment_size(size) or classify(name) is not Kind.SEGMENT:
            problem = f"{name!r} is not the name of a segment of {size} bytes"
            raise ValueError(problem)
        timeline, log, low = (int(name[at : at + 8], 16) for at in (0, 8, 16))
        per_log = _LOG_BYTES // size
        if low >= per_log:
            problem = f"{name!r} is not a segment of {size} bytes: the last part ends at {per_log}"
            raise ValueError(problem)
        return cls(timeline=timeline, number=log * per_log + low, size=size)

    @classmethod
    def containing(cls, lsn: int, timeline: int, size: int) -> Self:
        """Return the segment that contains `lsn`; on a boundary, the one that begins."""
        return cls(timeline=timeline, number=lsn // size, size=size)

    @property
    def name(self) -> str:
        """The file name in pg_wal."""
        log, low = divmod(self.number, _LOG_BYTES // self.size)
        return f"{self.timeline:08X}{log:08X}{low:08X}"

    @property
    def start_lsn(self) -> int:
        """The first byte."""
        return self.number * self.size

    @property
    def end_lsn(self) -> int:
        """The first byte after it."""
        return self.start_lsn + self.size

    def next(self) -> Self:
        """Return the segment that follows on the same timeline."""
        return replace(self, number=self.number + 1)

    def previous(self) -> Self:
        """Return the previous segment; the first, number 0, never exists and has none."""
        return replace(self, number=max(0, self.number - 1))


class Kind(enum.Enum):
    """The kind of a file of pg_wal or of an archive, by its name without extension."""

    SEGMENT = "segment"
    HISTORY = "history"
    BACKUP = "backup"
    PARTIAL = "partial"
    OTHER = "other"


def _hex(text: str, digits: int) -> bool:
    return len(text) == digits and _UPPER_HEX.issuperset(text)


def classify(filename: str) -> Kind:
    """Return the kind of a name in pg_wal; the caller removes extensions and folders."""
    match filename.split("."):
        case [name] if _hex(name, 24):
            return Kind.SEGMENT
        case [name, "history"] if _hex(name, 8):
            return Kind.HISTORY
        case [name, offset, "backup"] if _hex(name, 24) and _hex(offset, 8):
            return Kind.BACKUP
        case [name, "partial"] if _hex(name, 24):
            return Kind.PARTIAL
        case _:
            return Kind.OTHER


def strip_extension(key: str) -> str:
    """Return an archive's key without the extension of its compression, if it has one."""
    for extension in EXTENSIONS:
        if key.endswith(extension):
            return key.removesuffix(extension)
    return key


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """One line of a .history file: `timeline` was left at `switch_lsn`."""

    timeline: int
    switch_lsn: int
    reason: str


def parse_history(text: str) -> tuple[Switch, ...]:
    """Return the ancestors that a .history file names, oldest first.

    Raises: ValueError for a line that PostgreSQL's readTimeLineHistory would refuse.
    Source: PostgreSQL 15, timeline.c: decimal timeline, LSN, reason; # begins a comment.
    """
    switches: list[Switch] = []
    for line in text.split("\n"):
        if not (fields := line.split(maxsplit=2)) or fields[0].startswith("#"):
            continue
        timeline, lsn, reason = (*fields, "", "")[:3]
        previous = switches[-1].timeline if switches else 0
        if not (timeline.isascii() and timeline.isdecimal() and previous < int(timeline) < 1 << 32):
            problem = f"timeline history has {timeline!r} after timeline {previous}"
            raise ValueError(problem)
        switches.append(
            Switch(timeline=int(timeline), switch_lsn=parse_lsn(lsn), reason=reason.strip())
        )
    return tuple(switches)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageHeader:
    """The identity in the first page of a segment."""

    system_id: int
    segment_size: int
    timeline: int
    page_lsn: int


def long_page_header(data: bytes) -> PageHeader:
    """Return the identity in the first 40 bytes of a segment.

    Raises: ValueError when they are not the head of a segment.
    Source: PostgreSQL 11 to 18, xlog_internal.h, XLogLongPageHeaderData; magic 0xD098 to 0xD118.
    """
    if len(data) < LONG_PAGE_HEADER_BYTES:
        problem = f"{len(data)} bytes are too few for the head of a WAL segment"
        raise ValueError(problem)
    magic, info, timeline, page_lsn, _, system_id, segment_size, block_size = (
        _LONG_PAGE_HEADER.unpack_from(data)
    )
    plausible = magic >> 8 in (0xD0, 0xD1) and info & _XLP_LONG_HEADER and timeline and system_id
    if not (plausible and is_segment_size(segment_size) and block_size.bit_count() == 1):
        problem = f"not the head of a WAL segment: magic {magic:#06x}, info {info:#06x}"
        raise ValueError(problem)
    if page_lsn % segment_size:
        problem = f"page address {show_lsn(page_lsn)} is not the start of a segment"
        raise ValueError(problem)
    return PageHeader(
        system_id=system_id, segment_size=segment_size, timeline=timeline, page_lsn=page_lsn
    )
