"""The audit before a stop's verdict."""

import asyncio
import time

from walsup.agent.audit.auditor import Auditor
from walsup.agent.context import AgentContext
from walsup.agent.subject import Subject
from walsup.archive.storage.fault_mapping import classify
from walsup.postgres.wal import Segment

_CONFIRM_S = 0.3
_AGAIN_S = 0.2


async def audited(context: AgentContext, last: Segment, deadline_s: float) -> str:
    """Audit the newest day of the archive, or all of it when it is small.

    Returns "" when everything up to `last` is there without a gap and without another timeline,
    else what is wrong; the caller checks the base backups. What pg_wal still has is pushed
    again meanwhile. `deadline_s`: when there must be an answer
    (`time.monotonic`).
    """
    try:
        async with asyncio.timeout(max(0.0, deadline_s - time.monotonic())):
            while True:
                problem = await _once(context, last)
                if problem is not None:
                    return problem
                await asyncio.sleep(_AGAIN_S)
    except TimeoutError:
        return (
            Auditor.of(context).history_problem or "the archive could not be listed again in time"
        )


async def _once(context: AgentContext, last: Segment) -> str | None:
    """Run one round; None: run another."""
    auditor = Auditor.of(context)
    try:
        result = await auditor.look(whole=auditor.is_small, head=last, confirm_s=_CONFIRM_S)
    except Exception as raised:  # noqa: BLE001 (retried until the deadline)
        context.board.fault(Subject.BUCKET, classify(raised))
        return None
    if result is None:
        return "this instance no longer owns the archive"
    if not result.is_settled:
        return None
    snapshot = context.board.snapshot
    if gap := next((hole for hole in reversed(snapshot.holes) if not hole.covered_by), None):
        return f"{gap.first} is lost, and no base backup starts after it"
    for subject in (Subject.TIMELINE, Subject.ARCHIVE):
        if subject in snapshot.faults:
            return snapshot.faults[subject].fault.problem
    return ""
