"""The content of WAL, read by pg_waldump: restore points, ends of transactions, last record.

Source: PostgreSQL 11 to 18, pg_waldump.c, xactdesc.c, xlogdesc.c.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from walsup.archive.engine import run_once
from walsup.postgres.wal import Segment, parse_lsn, show_lsn
from walsup.system.prctl import die_with_parent

_TIMEOUT_S = 600.0
_LSN = re.compile(rb", lsn: ([0-9A-F]+/[0-9A-F]+), ")
_XID = re.compile(rb", tx: +(\d+), ")
# The time is in the time zone of the process; for a prepared transaction its number precedes it.
_ENDED = re.compile(
    rb", desc: (?:COMMIT|ABORT)(?:_PREPARED)? (?:(\d+): )?.*?(\d{4}-\d\d-\d\d [\d:.]+) UTC"
)
_BACKUP_END = b", desc: BACKUP_END "
_POINT = re.compile(rb", desc: RESTORE_POINT (.*)")
# What is searched is at the beginning; a logical message's content is shown too, three bytes each.
_HEAD_BYTES = 1 << 16


@dataclass(slots=True)
class Seen:
    """What was found in some WAL. LSNs are the beginnings of records."""

    last_lsn: int | None = None
    last_end: datetime | None = None
    name_lsn: int | None = None
    xid_lsn: int | None = None
    backup_end_lsn: int | None = None

    def add(self, line: bytes, name: bytes | None, xid: int | None) -> None:
        """Parse a line of pg_waldump; `name`, `xid`: what is searched."""
        at = _LSN.search(line)
        if at is None:
            return
        self.last_lsn = parse_lsn(at[1].decode())
        if name is not None and (point := _POINT.search(line)) and point[1] == name:
            self.name_lsn = self.name_lsn or self.last_lsn
        if _BACKUP_END in line:
            self.backup_end_lsn = self.last_lsn
        if ended := _ENDED.search(line):
            self.last_end = datetime.fromisoformat(ended[2].decode()).replace(tzinfo=UTC)
            number = ended[1] or (found[1] if (found := _XID.search(line)) else b"")
            if xid is not None and number and int(number) == xid:
                self.xid_lsn = self.xid_lsn or self.last_lsn


async def scan(  # noqa: PLR0913 (each is one fact)
    pg_waldump: str,
    folder: Path,
    segment: Segment,
    seen: Seen,
    *,
    name: str = "",
    xid: int | None = None,
    begin_lsn: int | None = None,
    end_lsn: int | None = None,
) -> str:
    """Read the records in a segment; return why pg_waldump could not read on, "" when it could.

    `begin_lsn`: read from there, the beginning of a record in the segment or in an earlier one.
    `end_lsn`: read up to there. The folder has every segment in between. A record that ends later
    is left out.

    Raises:
        OSError: pg_waldump cannot be run; TimeoutError: it does not end.
    """
    parent = os.getpid()
    argv = [pg_waldump, "-p", str(folder), "-t", str(segment.timeline)]
    argv += ["-s", show_lsn(begin_lsn or segment.start_lsn)]
    argv += ["-e", show_lsn(end_lsn or segment.end_lsn)]
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=run_once.environment() | {"TZ": "UTC", "LC_ALL": "C"},
        preexec_fn=lambda: die_with_parent(parent),
    )
    wanted = name.encode() if name else None
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            if process.stdout is None or process.stderr is None:
                return ""
            async for line in _heads(process.stdout):
                seen.add(line, wanted, xid)
            complaint = await process.stderr.read()  # a line or two
            if await process.wait() == 0:
                return ""
            # Also where the WAL ends in the middle of a segment.
            return _last_line(complaint) or f"pg_waldump ended with {process.returncode}"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _heads(stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Yield the beginning of each line, however long the line is."""
    line = b""
    while piece := await stream.read(_HEAD_BYTES):
        *ended, last = piece.split(b"\n")
        for part in ended:
            yield (line + part)[:_HEAD_BYTES]
            line = b""
        line = (line + last)[:_HEAD_BYTES]
    if line:
        yield line


def _last_line(complaint: bytes) -> str:
    lines = complaint.decode(errors="replace").strip().splitlines()
    return lines[-1].removeprefix("pg_waldump: ") if lines else ""
