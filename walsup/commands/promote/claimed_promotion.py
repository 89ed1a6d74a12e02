"""The promotion itself: the archive is claimed, then postgres is asked to promote."""

import asyncio
import time

from walsup.archive.ownership import write_deadline
from walsup.archive.ownership.admission import Rejected, TryAgain
from walsup.archive.ownership.lease import Lease, LostError, Proven
from walsup.archive.ownership.takeover import Promotion
from walsup.archive.storage.fault_mapping import note
from walsup.commands.promote.archive_question import asked
from walsup.commands.promote.plan import ASK_EVERY_S, Plan, Say
from walsup.datadir import markers
from walsup.errors import ArchiveError, DataDirectoryError
from walsup.postgres.sql.connection import UNANSWERED, Sql
from walsup.settings import Settings

_PROMOTED_WITHIN_S = 300.0


async def promote(known: Settings, promotion: Promotion | None, plan: Plan) -> int:
    """Claim the archive, promote postgres, and return the new timeline.

    `promotion` None: nothing is claimed, because the operator decided so and the archive cannot be
    read.

    Raises:
        ArchiveError: the archive cannot be claimed; DataDirectoryError: postgres is not promoted.
    """
    lease = await _claimed(known, promotion) if promotion is not None else None
    if lease is not None:
        owner = lease.owner
        plan.say(f"the archive is claimed for timeline {owner.next_timeline} (epoch {owner.epoch})")
        _arm(known, plan, lease)
    markers.remember_promotion(known.pgdata, lease.owner.next_timeline if lease else 0)
    keeping = asyncio.create_task(_keep(known, plan, lease)) if lease else None
    try:
        return await _promote(known, lease, plan.say)
    finally:
        if keeping is not None:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
        markers.forget_promotion(known.pgdata)


async def _claimed(known: Settings, promotion: Promotion) -> Lease | None:
    claimed = await asked(known, promotion.claim(unsafe=known.unsafe_owner))
    if isinstance(claimed, (TryAgain, Rejected)):
        raise ArchiveError(
            f"the archive cannot be claimed: {claimed.fault.problem}",
            hint="check its owner (`walsup restore --list`), and run this again; this instance is"
            " still a standby",
        )
    return claimed


def _arm(known: Settings, plan: Plan, lease: Lease) -> None:
    """Give PID 1 the deadline before postgres takes writes, if silence alone ends a primary."""
    if known.fence == "on" and plan.run_dir is not None:
        write_deadline.put(plan.run_dir, lease.until_s, known.lease_s)


async def _keep(known: Settings, plan: Plan, lease: Lease) -> None:
    """Renew the lease until the agent, which is of the same start, holds it."""
    owner = lease.owner
    while lease.is_held:
        await asyncio.sleep(owner.lease_s / 2)
        try:
            await lease.renew(Proven(owner.timeline, owner.lsn, owner.backups_from))
            _arm(known, plan, lease)
        except LostError:
            return
        except Exception as raised:  # noqa: BLE001 (tried again until the lease is over)
            note(raised)


async def _promote(known: Settings, lease: Lease | None, say: Say) -> int:
    sql = Sql(known.pgdata, known.database_role, known.pgpassword)
    deadline_s = time.monotonic() + _PROMOTED_WITHIN_S
    try:
        await sql.row("select 1")
        if lease is not None and not lease.is_held:
            raise ArchiveError(
                "the claim of the archive expired before postgres was promoted",
                hint="run this again; this instance is still a standby",
            )
        await sql.row("select pg_catalog.pg_promote(false)")
        say("promotion requested")
        while time.monotonic() < deadline_s:
            recovers, name = await sql.row(
                "select r, case when r then '' else"
                " pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()) end"
                " from pg_catalog.pg_is_in_recovery() r"
            )
            if not recovers:
                return int(name[:8], 16)
            await asyncio.sleep(ASK_EVERY_S)
    except UNANSWERED as raised:
        raise DataDirectoryError(
            f"postgres does not promote: {raised}",
            hint="see postgres's lines in the log, and `walsup status`",
        ) from None
    finally:
        sql.drop()
    raise DataDirectoryError(
        f"postgres did not end its recovery within {_PROMOTED_WITHIN_S:.0f} s",
        hint="it may still end: see postgres's lines in the log, and `walsup status`",
    )
