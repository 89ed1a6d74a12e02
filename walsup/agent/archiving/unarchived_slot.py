"""Keeps WAL on a standby from the end of the archive on, for the case of a promotion.

Streamed segments are `.done` on a standby, so a restartpoint removes them, and after a promotion
those that the failed primary had not archived would be lost. A replication slot on the standby
keeps them, within max_slot_wal_keep_size.
"""

from walsup import log
from walsup.agent.context import AgentContext
from walsup.agent.subject import Subject
from walsup.archive.faults import Fault, FaultKind
from walsup.postgres.sql.connection import UNANSWERED

SLOT = "walsup_unarchived"
_SEEN = (
    "select s.restart_lsn, s.wal_status from pg_catalog.pg_replication_slots s"
    " where s.slot_name operator(pg_catalog.=) $1"
)
_MAKE = "select s.slot_name from pg_catalog.pg_create_physical_replication_slot($1, true) s"
_MOVE = "select s.slot_name from pg_catalog.pg_replication_slot_advance($1, $2) s"
_DROP = (
    "select pg_catalog.pg_drop_replication_slot(s.slot_name)"
    " from pg_catalog.pg_replication_slots s where s.slot_name operator(pg_catalog.=) $1"
)


class UnarchivedSlot:
    """The slot, which advances with the archive."""

    def __init__(self, context: AgentContext) -> None:
        self._context = context

    async def upto(self, archived_lsn: int) -> None:
        """Keep the WAL after this LSN; show a fault when that is not possible."""
        board = self._context.board
        if not board.snapshot.database.observed or not board.snapshot.standby.streams:
            return
        try:
            await self._move(archived_lsn)
        except UNANSWERED as raised:
            board.fault(Subject.KEPT, _fault(raised))
        else:
            board.clear(Subject.KEPT)

    async def _move(self, archived_lsn: int) -> None:
        sql = self._context.sql
        slot = await sql.row(_SEEN, SLOT)
        if slot and slot[1] == "lost":
            await sql.row(_DROP, SLOT)
            log.warning("slot.lost", name=SLOT, why="max_slot_wal_keep_size")
            slot = ()
        if not slot:
            await sql.row(_MAKE, SLOT)
            return
        replay_lsn = self._context.board.snapshot.standby.replay_lsn
        kept_lsn = min(archived_lsn, replay_lsn)
        if slot[0] and kept_lsn > slot[0]:
            await sql.row(_MOVE, SLOT, kept_lsn)


async def let_go(context: AgentContext) -> None:
    """Drop the slot: the archive has its WAL. If that fails, its size is limited anyway."""
    try:
        await context.sql.row(_DROP, SLOT)
    except UNANSWERED as raised:
        log.warning("slot.kept", name=SLOT, problem=str(raised))


def _fault(raised: BaseException) -> Fault:
    return Fault(
        kind=FaultKind.NOT_FOLLOWING,
        problem=f"the replication slot {SLOT}, which keeps unarchived WAL on this standby, cannot"
        f" be used ({raised}): after a promotion this WAL may be missing in the archive",
        remedy="raise max_replication_slots so that it has room for one more slot, and let walsup"
        " log in as a superuser",
    )
