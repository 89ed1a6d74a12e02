"""`walsup promote`: a person makes this standby the primary, and loses nothing by it (S15).

It is proven first that the bucket can be read, that replay has reached its end, and that the
archive's owner is not alive: a primary that goes on elsewhere would be a second writer.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import asyncpg

from walsup.archive import clock
from walsup.archive.bucket import open_bucket
from walsup.archive.classify import classify
from walsup.archive.owner import Owner
from walsup.errors import ArchiveError, DataDirectoryError
from walsup.postgres import memory, standing
from walsup.postgres.server import Sql
from walsup.settings import Settings

_ASK_EVERY_S = 0.5
_PROMOTED_WITHIN_S = 300.0
# A living holder writes its object once a lease; a late write is no death.
_WATCHED_LEASES = 1.5
_FORCE = "; or promote it all the same, and give up what is not here: walsup promote --force"


def check(known: Settings) -> None:
    """Refuse what is no standby.

    Raises:
        DataDirectoryError: it is a primary.
    """
    if not standing.is_standby(known.pgdata):
        raise DataDirectoryError(
            f"{known.pgdata} is no standby's: there is nothing to promote",
            hint="run it in the container of the standby, with its environment",
        )


def prove(known: Settings, ask: Callable[[], dict[str, Any]], patience_s: float) -> str:
    """Prove that nothing is left behind; gives what was seen.

    Raises:
        ArchiveError: it cannot be proven, with why.
    """
    if known.archive is None:
        return "no archive: promoted is what was received"
    _no_owner_alive(known)
    seen = _at_end(ask, patience_s)
    return f"everything in the archive ({seen['archived_lsn']}) is replayed"


def promote(known: Settings, tell: Callable[[str], None]) -> int:
    """Have postgres promote it; gives the new timeline.

    Raises:
        DataDirectoryError: postgres does not do it.
    """
    memory.remember_promotion(known.pgdata)
    try:
        return asyncio.run(_promote(known, tell))
    finally:
        memory.forget_promotion(known.pgdata)


def _no_owner_alive(known: Settings) -> None:
    before = _owner(known)
    if before is None or before.state != "running":
        return
    deadline_s = time.monotonic() + _WATCHED_LEASES * before.lease_s
    while time.monotonic() < deadline_s:
        time.sleep(min(before.lease_s / 4, 1.0))
        now = _owner(known)
        if now is None or now.state != "running":
            return
        if now.nonce != before.nonce:
            raise ArchiveError(
                f"the archive's owner is alive: instance {now.instance} has just renewed its lease",
                hint="stop the primary first: two of them would both take writes" + _FORCE,
            )


def _owner(known: Settings) -> Owner | None:
    try:
        return asyncio.run(clock.owner(open_bucket(known)))
    except Exception as raised:  # noqa: BLE001 (whatever it is, a person is told)
        fault = classify(raised)
        raise ArchiveError(
            f"{known.archive} cannot be read ({fault.kind}): {fault.problem}",
            hint=fault.cure + _FORCE,
        ) from None


def _at_end(ask: Callable[[], dict[str, Any]], patience_s: float) -> dict[str, Any]:
    """Wait until the agent has looked into the archive anew, and replay is at its end."""
    began_at, deadline_s = time.time(), time.monotonic() + patience_s
    seen: dict[str, Any] = {}
    while True:
        try:
            found = ask()
        except (OSError, ValueError) as silent:  # the agent is started again when it dies
            found = {"faults": {"agent": {"problem": str(silent)}}}
        seen = found.get("standby", {})
        if seen.get("looked_at", 0) > began_at and seen["at_end"]:
            return seen
        if time.monotonic() > deadline_s:
            faults = found.get("faults", {})
            why = "; ".join(f"{name}: {fault['problem']}" for name, fault in faults.items())
            raise ArchiveError(
                "replay has not reached the end of the archive: it is at"
                f" {seen.get('replay_lsn', '?')} of {seen.get('archived_lsn', '?')}"
                + (f" ({why})" if why else ""),
                hint="see `walsup status`; wait for it, with --wait" + _FORCE,
            )
        time.sleep(_ASK_EVERY_S)


async def _promote(known: Settings, tell: Callable[[str], None]) -> int:
    sql = Sql(known.pgdata, known.database_role, known.pgpassword)
    deadline_s = time.monotonic() + _PROMOTED_WITHIN_S
    try:
        await sql.row("select pg_promote(false)")
        tell("promotion asked for")
        while time.monotonic() < deadline_s:
            recovers, name = await sql.row(
                "select r, case when r then '' else pg_walfile_name(pg_current_wal_lsn()) end"
                " from pg_is_in_recovery() r"
            )
            if not recovers:
                return int(name[:8], 16)
            await asyncio.sleep(_ASK_EVERY_S)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as raised:
        raise DataDirectoryError(
            f"postgres does not promote: {raised}",
            hint="see postgres's own lines in the log; `walsup status` shows what it is",
        ) from None
    finally:
        sql.drop()
    raise DataDirectoryError(
        f"postgres has not ended its recovery within {_PROMOTED_WITHIN_S:.0f} s",
        hint="it may still do: see its own lines in the log, and `walsup status`",
    )
