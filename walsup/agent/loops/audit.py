"""Audits the archive by listing: all of it regularly, its newest day more often."""

import asyncio
import time
from datetime import UTC, datetime

from walsup import log
from walsup.agent.audit.auditor import Auditor
from walsup.agent.context import AgentContext
from walsup.agent.states import GateState
from walsup.agent.subject import Subject
from walsup.archive.faults import Fault
from walsup.archive.storage.fault_mapping import classify

_POLL_S = 0.5
# Together with the lag: two listing requests in 10 s on average.
_REQUEST_EVERY_S = 7.5
_LONGEST_S = 5 * 3600.0
_SOON_S = 3.0
_FAILURES_SHOWN = 3


async def audit(context: AgentContext) -> None:
    """Audit at once when this instance owns the archive, then as often as its size allows."""
    auditor = Auditor.of(context)
    due_s, failures, held = 0.0, 0, None
    while not context.signals.stopping.is_set():
        await asyncio.sleep(_POLL_S)
        snapshot, lease = context.board.snapshot, context.session.lease
        if context.session.meter is None or lease is None or snapshot.gate.state != GateState.OPEN:
            continue
        if lease is not held or context.signals.audit_wanted.is_set():
            held, due_s = lease, 0.0
            context.signals.audit_wanted.clear()
        # A bucket that does not answer the lag would not answer here, and each try would leave one
        # more process of a directory archive that hangs in the kernel.
        if time.monotonic() < due_s or Subject.BUCKET in snapshot.faults:
            continue
        began_s = time.monotonic()
        try:
            settled = await _round(auditor)
            failures = 0
        except Exception as raised:  # noqa: BLE001 (asked again; the next round may succeed)
            failures += 1
            settled = True
            fault = classify(raised)
            log.warning("audit.failed", kind=fault.kind, problem=fault.problem)
            if failures >= _FAILURES_SHOWN:
                context.board.fault(Subject.AUDIT, _not_done(context, fault))
        due_s = began_s + (auditor.requests * _REQUEST_EVERY_S if settled else _SOON_S)


def _not_done(context: AgentContext, fault: Fault) -> Fault:
    """Return the fault that says since when the archive has not been audited, and why."""
    finished_at = context.board.snapshot.audit.finished_at
    since = "yet"
    if finished_at:
        at = datetime.fromtimestamp(finished_at, UTC).isoformat(timespec="seconds")
        since = f"since {at}"
    return fault._replace(problem=f"the archive has not been audited {since}: {fault.problem}")


async def _round(auditor: Auditor) -> bool:
    """Audit everything when that is due, else the newest day; return whether it is settled."""
    every_s = min(_LONGEST_S, auditor.pages * _REQUEST_EVERY_S)
    whole_s = auditor.whole_s
    due = whole_s is None or not auditor.has_looked or time.monotonic() - whole_s >= every_s
    result = await auditor.look(whole=due)
    return result is None or (result.is_settled and not result.is_new)
