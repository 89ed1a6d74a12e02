"""WAL names, positions, history and page headers."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walsup.postgres.wal import (
    EXTENSIONS,
    Kind,
    PageHeader,
    Segment,
    Switch,
    classify,
    long_page_header,
    parse_history,
    parse_lsn,
    show_lsn,
    strip_extension,
)

MB = 1 << 20
SIZES = st.integers(20, 30).map(lambda power: 1 << power)
LSNS = st.integers(0, (1 << 64) - 1)
TIMELINES = st.integers(1, (1 << 32) - 1)


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    """Any segment that PostgreSQL could write."""
    return Segment.containing(draw(LSNS), draw(TIMELINES), draw(SIZES))


def run_of(first: Segment, count: int) -> list[Segment]:
    """The `count` segments that begin with `first`."""
    found = [first]
    while len(found) < count:
        found.append(found[-1].next())
    return found


def page(  # noqa: PLR0913
    *,
    magic: int = 0xD110,
    info: int = 2,
    timeline: int = 1,
    lsn: int = 16 * MB,
    system_id: int = 7,
    size: int = 16 * MB,
) -> bytes:
    """The head of a segment as PostgreSQL lays it out."""
    return struct.pack("<HHIQIIQII", magic, info, timeline, lsn, 0, 0, system_id, size, 8192)


@given(LSNS)
def test_lsn_there_and_back(lsn: int) -> None:
    """Every position can be shown and read."""
    assert parse_lsn(show_lsn(lsn)) == lsn


def test_lsn() -> None:
    """Positions have PostgreSQL's form."""
    assert parse_lsn("0/16B3740") == parse_lsn("00000000/016b3740") == 0x16B3740
    assert show_lsn(0x1_0000_00FF) == "1/FF"


@pytest.mark.parametrize(
    "text", ["", "/", "0/", "/0", "0", "0x1/0", "1_0/0", " 1/0", "+1/0", "1/0/0", "123456789/0"]
)
def test_no_lsn(text: str) -> None:
    """What only Python would read as a number is refused."""
    with pytest.raises(ValueError, match="is not an LSN"):
        parse_lsn(text)


@pytest.mark.parametrize(
    ("size", "lsn", "name"),
    [
        (16 * MB, "0/16B3740", "000000010000000000000001"),
        (16 * MB, "0/FF000000", "0000000100000000000000FF"),
        (16 * MB, "1/0", "000000010000000100000000"),
        (MB, "0/FFF00000", "000000010000000000000FFF"),
        (64 * MB, "0/FC000000", "00000001000000000000003F"),
        (1024 * MB, "2/C0000000", "000000010000000200000003"),
    ],
)
def test_names(size: int, lsn: str, name: str) -> None:
    """The last part of a name counts up to 4 GB, whatever the size."""
    segment = Segment.containing(parse_lsn(lsn), 1, size)
    assert segment.name == name
    assert Segment.parse(name, size) == segment
    assert segment.start_lsn <= parse_lsn(lsn) < segment.end_lsn


@given(segments())
def test_names_there_and_back(segment: Segment) -> None:
    """Every segment has one name, and the name leads back to it."""
    assert Segment.parse(segment.name, segment.size) == segment
    assert classify(segment.name) is Kind.SEGMENT


@given(segments().filter(lambda segment: segment.end_lsn < 1 << 64))
def test_next(segment: Segment) -> None:
    """The next segment begins where this one ends, and its name sorts behind it."""
    following = segment.next()
    assert following.start_lsn == segment.end_lsn
    assert following.name > segment.name


def test_next_of_the_last() -> None:
    """There is no segment behind the last LSN."""
    with pytest.raises(ValueError, match="is not a segment number"):
        Segment.containing((1 << 64) - 1, 1, 16 * MB).next()


def test_timelines_are_hexadecimal() -> None:
    """Timeline 10 is 0000000A in a name."""
    assert Segment(timeline=10, number=1, size=16 * MB).name == "0000000A0000000000000001"
    assert Segment.parse("000000100000000000000001", 16 * MB).timeline == 16


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("000000010000000000000100", 16 * MB),
        ("000000000000000000000001", 16 * MB),
        ("00000001000000000000000a", 16 * MB),
        ("00000001000000000000001", 16 * MB),
        ("000000010000000000000001.lz4", 16 * MB),
        ("000000010000000000000001", 3 * MB),
        ("000000010000000000000001", MB // 2),
        ("000000010000000000000001", 2048 * MB),
    ],
)
def test_no_segment(name: str, size: int) -> None:
    """A name that this size cannot have is refused, not taken for another place."""
    with pytest.raises(ValueError, match=r"segment|timeline"):
        Segment.parse(name, size)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("000000010000000000000001", Kind.SEGMENT),
        ("0000000A.history", Kind.HISTORY),
        ("000000010000000000000002.00000028.backup", Kind.BACKUP),
        ("000000010000000000000002.partial", Kind.PARTIAL),
        ("0000000a.history", Kind.OTHER),
        ("000000010000000000000002.backup", Kind.OTHER),
        ("000000010000000000000002.ready", Kind.OTHER),
        ("000000010000000000000002\n", Kind.OTHER),
        ("RECOVERYXLOG", Kind.OTHER),
        ("", Kind.OTHER),
    ],
)
def test_kinds(name: str, kind: Kind) -> None:
    """Every name that PostgreSQL archives is told apart."""
    assert classify(name) is kind


@pytest.mark.parametrize("extension", ["", *EXTENSIONS])
def test_extensions(extension: str) -> None:
    """One extension of a compression is cut, and nothing else."""
    for name in ("000000010000000000000001", "0000000A.history"):
        assert strip_extension(f"wal_005/{name}{extension}") == f"wal_005/{name}"


def test_history() -> None:
    """Timelines are decimal in the file, comments and missing reasons are allowed."""
    text = "# x\n\n1\t0/A000198\tno recovery target specified\n  9\t1/0\n10\t1/FF\tbefore 2026\n"
    assert parse_history(text) == (
        Switch(timeline=1, switch_lsn=0xA000198, reason="no recovery target specified"),
        Switch(timeline=9, switch_lsn=1 << 32, reason=""),
        Switch(timeline=10, switch_lsn=0x1_0000_00FF, reason="before 2026"),
    )


@pytest.mark.parametrize("text", ["1", "1\tx", "A\t0/1", "0\t0/1", "2\t0/1\n1\t0/2", "²\t0/1"])
def test_no_history(text: str) -> None:
    """A history that PostgreSQL would refuse is refused."""
    with pytest.raises(ValueError, match=r"timeline history|is not an LSN"):
        parse_history(text)


def test_page_header() -> None:
    """The first page tells cluster, size, timeline and place."""
    assert long_page_header(page(timeline=11) + b"more") == PageHeader(
        system_id=7, segment_size=16 * MB, timeline=11, page_lsn=16 * MB
    )


@pytest.mark.parametrize(
    "data",
    [
        page()[:39],
        bytes(40),
        page(magic=0x1234),
        page(info=1),
        page(timeline=0),
        page(system_id=0),
        page(size=3 * MB),
        page(lsn=8192),
    ],
)
def test_no_page_header(data: bytes) -> None:
    """Bytes that are not the head of a segment are refused."""
    with pytest.raises(ValueError, match=r"WAL segment|start of a segment"):
        long_page_header(data)
