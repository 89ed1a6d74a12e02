"""The content of WAL, read by pg_waldump: restore points, ends of transactions, last record.

Source: PostgreSQL 11 to 18, pg_waldump.c, xactdesc.c, xlogdesc.c.
"""

import asyncio
import os
import re
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
_LONGEST_LINE_BYTES = 1 << 20


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
    end_lsn: int | None = None,
) -> None:
    """Read the records that begin in a segment; the folder has it, and the following ones.

    `end_lsn`: read up to there. A record may continue in the next segment: without that one the
    last record is left out.

    A record may go on in the next segment: without that one the last is left out.

    Raises:
        OSError: pg_waldump cannot be run; TimeoutError: it does not end.
    """
    parent = os.getpid()
    argv = [pg_waldump, "-p", str(folder), "-t", str(segment.timeline)]
    argv += ["-s", show_lsn(segment.start_lsn), "-e", show_lsn(end_lsn or segment.end_lsn)]
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=run_once.environment() | {"TZ": "UTC", "LC_ALL": "C"},
        preexec_fn=lambda: die_with_parent(parent),
        limit=_LONGEST_LINE_BYTES,
    )
    wanted = name.encode() if name else None
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            if process.stdout is None:
                return
            async for line in process.stdout:
                seen.add(line.rstrip(b"\n"), wanted, xid)
            await process.wait()  # 1 where the WAL ends in the middle of a segment
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
