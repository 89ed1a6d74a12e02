"""Selects the base backups that count: of this cluster, and after every known break."""

from collections.abc import Iterable

from walsup.agent.context import AgentContext
from walsup.archive.catalog import base_backups
from walsup.archive.catalog.base_backups import Backup
from walsup.archive.storage.bucket import Bucket
from walsup.postgres import pg_control
from walsup.postgres.pg_control import ControlData


async def newest(context: AgentContext, bucket: Bucket) -> Backup | None:
    """Return the newest base backup of the database's own timeline that counts.

    After a promotion or a restore a base backup of the new timeline is needed; one taken elsewhere
    may be of another branch (adopt).

    Raises:
        what the bucket raises; WalsupError: pg_control cannot be read.
    """
    snapshot = context.board.snapshot
    timeline = snapshot.database.timeline or pg_control.read(context.settings.pgdata).timeline
    valid = counted(context, await base_backups.backups(bucket), snapshot.database.current_lsn)
    # 0: its name has no timeline.
    on_timeline = [backup for backup in valid if backup.timeline in (0, timeline)]
    return on_timeline[-1] if on_timeline else None


def counted(context: AgentContext, backups: Iterable[Backup], current_lsn: int) -> list[Backup]:
    """Return those of this cluster that begin after each gap, foreign WAL, or break."""
    system_id = context.board.snapshot.system_id
    since_lsn = context.session.lease.owner.backups_from if context.session.lease else 0
    return [
        backup
        for backup in backups
        if may_be_ours(backup, system_id, current_lsn) and backup.start_lsn >= since_lsn
    ]


def counted_at_end(
    context: AgentContext, backups: Iterable[Backup], control: ControlData
) -> list[Backup]:
    """Return the base backups that count when the database has ended with this control file."""
    return counted(
        context, backups, max(control.checkpoint_lsn, context.board.snapshot.lag.proven_lsn)
    )


def may_be_ours(backup: Backup, system_id: int, current_lsn: int) -> bool:
    """Return whether it is of this cluster; without an identifier it must end before our LSN."""
    if backup.system_id is None:
        return backup.finish_lsn <= current_lsn
    return backup.system_id == system_id
