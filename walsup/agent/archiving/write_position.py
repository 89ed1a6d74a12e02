"""The server's write position, which limits the segments that it can have archived."""

import asyncio
from pathlib import Path

from walsup.agent.context import AgentContext
from walsup.agent.lag_meter import WritePosition
from walsup.postgres import pg_control
from walsup.postgres.sql.connection import UNANSWERED
from walsup.postgres.wal import LONG_PAGE_HEADER_BYTES, Segment, long_page_header

_ASK = "select pg_catalog.pg_current_wal_lsn()"


async def sampled(context: AgentContext) -> WritePosition | None:
    """Return the position of the last sample; None: not known, so nothing counts as archived.

    A server that answers no statement of walsup is asked through its files.

    Raises:
        OSError, WalsupError: they cannot be read.
    """
    last = context.session.meter.position if context.session.meter else None
    database = context.board.snapshot.database
    if database.observed or not database.accepting:
        return last
    written = await asyncio.to_thread(on_disk, context.settings.pgdata)
    return written if last is None or written.lsn > last.lsn else last


async def asked(context: AgentContext) -> int | None:
    """Return the server's position as of now, None: it does not answer."""
    try:
        (lsn,) = await context.sql.row(_ASK)
    except UNANSWERED:
        return None
    return int(lsn)


def on_disk(pgdata: Path) -> WritePosition:
    """Return the start of the last segment that the server has begun to write.

    A file that PostgreSQL keeps to recycle it has another segment's address in its first page.

    Raises:
        OSError, WalsupError: pg_control cannot be read.
    """
    control = pg_control.read(pgdata)
    current = Segment.containing(control.checkpoint_lsn, control.timeline, control.segment_size)
    while _is_begun(pgdata / "pg_wal", following := current.next()):
        current = following
    return WritePosition(current.timeline, current.start_lsn)


def _is_begun(pg_wal: Path, segment: Segment) -> bool:
    try:
        with (pg_wal / segment.name).open("rb") as file:
            head = long_page_header(file.read(LONG_PAGE_HEADER_BYTES))
    except (OSError, ValueError):
        return False
    return head.page_lsn == segment.start_lsn and head.timeline <= segment.timeline
