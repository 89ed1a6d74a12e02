"""`walsup promote`: promotes this standby on an operator's request, without losing anything.

Rule standby-survives.

First it verifies that replay has reached the archive's end and that the owner is not alive. Then it
claims the archive for this instance, with the number of the new timeline, and only then is postgres
promoted: an old primary that is started meanwhile finds another owner.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from walsup.commands.promote.archive_question import UnreadableError
from walsup.commands.promote.claimed_promotion import promote
from walsup.commands.promote.owner_watch import Watch
from walsup.commands.promote.plan import ASK_EVERY_S, FORCE_HINT, Plan
from walsup.datadir import markers
from walsup.errors import ArchiveError, DataDirectoryError
from walsup.postgres import standby_signal
from walsup.settings import Settings


def check(known: Settings) -> None:
    """Reject a directory that is not a standby's.

    Raises:
        DataDirectoryError: it is a primary, or its role is not known.
    """
    if not standby_signal.is_standby(known.pgdata):
        raise DataDirectoryError(
            f"{known.pgdata} is not a standby: there is nothing to promote",
            hint="run it in the standby's container, with its environment",
        )
    if markers.is_unsure(known.pgdata):
        raise DataDirectoryError(
            f"{known.pgdata} was a primary, and is read-only until the archive confirms its role",
            hint="see the fault `role` in `walsup status`; to make this instance the primary, run"
            " `walsup adopt` instead",
        )


async def run(known: Settings, plan: Plan) -> int:
    """Verify, claim, promote; return the new timeline.

    Raises:
        WalsupError: with the reason; it is still a standby, or may be.
    """
    if known.archive is None:
        plan.say("no archive: the promotion includes the WAL received so far")
        return await promote(known, None, plan)
    if plan.boot is None or plan.run_dir is None:
        raise DataDirectoryError(
            f"the run directory of {known.pgdata} cannot be read, or has no record of its start",
            hint="run it in the standby's container while it runs, with its environment",
        )
    watch = Watch(known, plan.boot, plan.say)
    try:
        await watch.until_silent()
    except UnreadableError as unreadable:
        if not plan.force:
            raise
        plan.say(f"not claimed: {unreadable.problem}")
        return await promote(known, None, plan)
    version = None
    while not plan.force and version != watch.promotion.version:
        version = watch.promotion.version
        seen = await asyncio.to_thread(_at_end, plan.ask, plan.wait_s)
        plan.say(f"everything in the archive ({seen['archived_lsn']}) is replayed")
        await watch.until_silent()
    return await promote(known, watch.promotion, plan)


def _at_end(ask: Callable[[], dict[str, Any]], patience_s: float) -> dict[str, Any]:
    """Wait until the agent has examined the archive again and replay has reached its end."""
    began_at, deadline_s = time.time(), time.monotonic() + patience_s
    seen: dict[str, Any] = {}
    while True:
        try:
            found = ask()
        except (OSError, ValueError) as silent:  # PID 1 starts the agent again when it dies
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
                hint="see `walsup status`; wait longer with --wait" + FORCE_HINT,
            )
        time.sleep(ASK_EVERY_S)
