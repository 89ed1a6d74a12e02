"""Giving the archive up at the end of a stop, with the verdict in the owner object."""

import asyncio

from walsup import log
from walsup.agent.archiving.completeness import proven
from walsup.agent.context import AgentContext
from walsup.archive.ownership.lease import Lease, LostError
from walsup.archive.storage.fault_mapping import classify
from walsup.postgres.wal import Segment

QUESTION = "everything before the shutdown checkpoint is in the bucket"
_RETRY_S = 0.2


async def release(
    context: AgentContext, lease: Lease, mark: Segment, verdict: str, *, ended: bool = False
) -> str:
    """Mark the owner as stopped, with what is verified; return why `verdict` is void, or "".

    The listed WAL is this instance's only if it has owned the archive until now. `lease`: the one
    under which the bucket was listed. `ended`: the database has shut down, and nothing is missing.
    """
    while True:
        # The archive may have been claimed again meanwhile, with another tag.
        held = context.session.lease or lease
        void = _why_void(lease, held)
        final_verdict = f"{QUESTION}: no: {void}" if void else verdict
        try:
            await held.release(
                proven(context, mark, ended=ended and not void, verdict=final_verdict)
            )
        except LostError as lost:
            return lost.fault.problem
        except Exception as raised:  # noqa: BLE001 (retried until the deadline)
            log.warning("owner.not_released", problem=classify(raised).problem)
            await asyncio.sleep(_RETRY_S)
        else:
            return void


def _why_void(looked: Lease, held: Lease) -> str:
    """Return why another start may have written between two claims, "" when none has.

    Each claim after another start's raises the epoch; one after a pause of this start does not.
    """
    if looked.owner.epoch == held.owner.epoch:
        return ""
    return (
        "another start held the archive while this instance verified it (epoch"
        f" {looked.owner.epoch}, now {held.owner.epoch})"
    )
