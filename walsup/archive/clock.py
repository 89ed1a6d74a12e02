"""Up to which moment an archive goes: the last commits in it, and what its owner has proven."""

import asyncio
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from walsup.archive import oneshot
from walsup.archive.bucket import Readable
from walsup.archive.classify import is_absent
from walsup.archive.names import OWNER_KEY
from walsup.archive.owner import Owner
from walsup.kernel import die_with_parent

_DUMP_TIMEOUT_S = 120
# Source: PostgreSQL 11 to 18, xactdesc.c: the time in the time zone of the process.
_ENDED = re.compile(rb"desc: (?:COMMIT|ABORT)(?:_PREPARED)? .*?(\d{4}-\d\d-\d\d [\d:.]+) UTC")


class Commits(NamedTuple):
    """First and last end of a transaction in a segment; None: there is none."""

    first: datetime | None
    last: datetime | None


async def commits(pg_waldump: str, segment: Path) -> Commits:
    """Read when transactions ended in a segment.

    Raises:
        OSError: pg_waldump cannot be run.
    """
    parent = os.getpid()
    process = await asyncio.create_subprocess_exec(
        *(pg_waldump, "--rmgr=Transaction", str(segment)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=oneshot.environment() | {"TZ": "UTC", "LC_ALL": "C"},
        preexec_fn=lambda: die_with_parent(parent),
    )
    # It ends with 1 at the end of the segment, in the middle of a record mostly.
    try:
        text, _ = await asyncio.wait_for(process.communicate(), _DUMP_TIMEOUT_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        return Commits(None, None)
    times = [
        datetime.fromisoformat(found.decode()).replace(tzinfo=UTC) for found in _ENDED.findall(text)
    ]
    return Commits(min(times, default=None), max(times, default=None))


async def owner(bucket: Readable) -> Owner | None:
    """Give the owner object, None when there is none: an archive of another program's.

    Raises:
        what the bucket raises; ValueError: it cannot be read.
    """
    try:
        found = await bucket.get(OWNER_KEY)
    except FileNotFoundError as raised:
        if not is_absent(raised):
            raise
        return None
    return Owner.from_json(found.content)
