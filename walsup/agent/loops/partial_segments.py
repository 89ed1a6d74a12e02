"""Removes partial segments from a directory archive: WAL-G before 3.0.9 leaves them there.

It writes under the final name, so a kill or a full disk leaves a part. Each later push of that
segment reads the part, cannot decompress it, and fails.
"""

import asyncio
import time

from walsup import log
from walsup.agent.context import AgentContext
from walsup.agent.states import GateState
from walsup.archive.paths import WAL_FOLDER
from walsup.archive.storage.bucket import Bucket
from walsup.archive.storage.fault_mapping import classify
from walsup.postgres.wal import Segment, strip_extension
from walsup.settings import FileArchive

_EVERY_S = 5.0
_STUCK_AFTER_S = 15.0


async def torn(context: AgentContext) -> None:
    """Look for partial segments while archiving is enabled and does not move."""
    if not isinstance(context.settings.archive, FileArchive):
        await context.signals.stopping.wait()
        return
    proven_lsn, moved_s = 0, time.monotonic()
    while not context.signals.stopping.is_set():
        await asyncio.sleep(_EVERY_S)
        snapshot = context.board.snapshot
        if (
            snapshot.lag.proven_lsn != proven_lsn
            or not snapshot.lag.segments
            or snapshot.gate.state != GateState.OPEN
        ):
            proven_lsn, moved_s = snapshot.lag.proven_lsn, time.monotonic()
        elif (
            time.monotonic() - moved_s > _STUCK_AFTER_S
            and context.session.meter
            and context.session.bucket
        ):
            try:
                await _discard(context, context.session.bucket, context.session.meter.mark)
            except Exception as raised:  # noqa: BLE001 (the lag's listing says what is wrong)
                log.warning("segment.torn_unknown", problem=classify(raised).problem)


async def _discard(context: AgentContext, bucket: Bucket, mark: Segment) -> None:
    """Remove those that pg_wal has completely: of others the part is better than nothing."""
    pg_wal = context.settings.pgdata / "pg_wal"
    for key in await bucket.torn(WAL_FOLDER, f"{WAL_FOLDER}/{mark.name}"):
        name = strip_extension(key).rpartition("/")[2]
        if (pg_wal / name).exists() and await bucket.discard_torn(key):
            log.warning("segment.torn", key=key, effect="removed; it is pushed again")
            context.pid1.reload()
