"""What pg_waldump prints, as PostgreSQL 11 to 18 print it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from walsup.archive.catalog import waldump
from walsup.archive.catalog.waldump import Seen
from walsup.postgres.wal import Segment, parse_lsn

HEAD = (
    "rmgr: {rmgr:<11} len (rec/tot): 46/ 46, tx: {xid:>10}, lsn: {lsn}, prev 0/0300, desc: {desc}"
)
COMMIT = "COMMIT 2026-11-27 14:30:00.123456 UTC; inval msgs: catcache 51"
PREPARED = "COMMIT_PREPARED 741: 2026-11-27 14:30:00.123456 UTC; gid: 'x'"


def _line(desc: str, *, xid: int = 0, lsn: str = "0/300AB28", rmgr: str = "Transaction") -> bytes:
    return HEAD.format(rmgr=rmgr, xid=xid, lsn=lsn, desc=desc).encode()


@pytest.mark.parametrize(
    ("desc", "xid", "wanted", "found"),
    [
        (COMMIT, 735, 735, True),
        (COMMIT, 735, 35, False),
        ("ABORT 2026-11-27 14:30:00.123456 UTC", 735, 735, True),
        (PREPARED, 0, 741, True),
        (PREPARED, 735, 735, False),
        ("PREPARE gid x: 2026-11-27 14:30:00.123456 UTC", 735, 735, False),
        ("ASSIGNMENT xtop 735: subxacts: 736", 735, 735, False),
    ],
)
def test_the_end_of_a_transaction(desc: str, xid: int, wanted: int, *, found: bool) -> None:
    """Committed or not, prepared before or not: where recovery could stop."""
    seen = Seen()
    seen.add(_line(desc, xid=xid), None, wanted)
    assert (seen.xid_lsn is not None) == found
    ended = desc.startswith(("COMMIT", "ABORT"))
    at = datetime(2026, 11, 27, 14, 30, 0, 123456, tzinfo=UTC)
    assert seen.last_end == (at if ended else None)


def test_a_restore_point_is_known_by_its_whole_name() -> None:
    """And the first of several counts."""
    seen = Seen()
    for name, lsn in (("before", "0/1"), ("before four", "0/2"), ("before four", "0/3")):
        seen.add(_line(f"RESTORE_POINT {name}", rmgr="XLOG", lsn=lsn), b"before four", None)
    assert seen.name_lsn == 2
    assert seen.last_lsn == 3


def test_what_is_no_record_says_nothing() -> None:
    """The words at the end of the WAL."""
    seen = Seen()
    seen.add(_line(COMMIT), b"x", 3)
    seen.add(b"pg_waldump: error: invalid record length at 0/5000060: wanted 24, got 0", b"x", 3)
    assert seen.last_lsn == parse_lsn("0/300AB28")


async def test_a_line_of_any_length_is_read_and_the_failure_is_told(tmp_path: Path) -> None:
    """A logical message is shown with its content; the record behind it counts as well."""
    program = tmp_path / "pg_waldump"
    program.write_text(
        "#!/bin/sh\n"
        "echo 'rmgr: LogicalMessage len: 9, tx: 0, lsn: 0/2000028, prev 0/0, desc: MESSAGE'\n"
        "head -c 3000000 /dev/zero | tr '\\0' x; echo\n"
        "echo 'rmgr: XLOG len: 9, tx: 0, lsn: 0/2800028, prev 0/0, desc: SWITCH'\n"
        "echo 'pg_waldump: error: unexpected pageaddr 0/1000000' >&2; exit 1\n"
    )
    program.chmod(0o755)
    seen, segment = Seen(), Segment(timeline=1, number=2, size=1 << 24)
    failed = await waldump.scan(str(program), tmp_path, segment, seen)
    assert failed == "error: unexpected pageaddr 0/1000000"
    assert seen.last_lsn == 0x2800028
