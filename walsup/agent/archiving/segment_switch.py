"""Finishes the current segment, so that it can be archived."""

import time

from walsup import log
from walsup.agent.context import AgentContext
from walsup.archive.storage.fault_mapping import note
from walsup.postgres.wal import show_lsn


async def switch(context: AgentContext) -> None:
    """Finish the current segment now."""
    try:
        xmax, xmin, lsn = await context.sql.row(
            "select pg_catalog.txid_snapshot_xmax(s), pg_catalog.txid_snapshot_xmin(s),"
            " pg_catalog.pg_switch_wal() from pg_catalog.txid_current_snapshot() s"
        )
    except Exception as raised:  # noqa: BLE001 (the database loop says what is wrong with SQL)
        note(raised)
        log.warning("switch.failed", problem=str(raised))
        return
    if context.session.meter:
        context.session.meter.switched(time.monotonic(), xmax, xmin)
    log.info("segment.switched", lsn=show_lsn(lsn))
