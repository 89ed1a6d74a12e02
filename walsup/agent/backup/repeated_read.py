"""Reads the newest base backup through the engine again, after it was verified.

What was read once may become unreadable: a permission or a key is withdrawn, or a lifecycle rule
moves parts to a storage class that must be retrieved first. The database is not asked.
"""

from enum import StrEnum

from walsup import log
from walsup.agent.backup import engine_check, valid_backups
from walsup.agent.context import AgentContext
from walsup.archive.engine.adapter import Engine
from walsup.archive.faults import PASSING, Fault
from walsup.archive.storage.fault_mapping import classify


class Readability(StrEnum):
    """Whether the newest base backup could be read; UNKNOWN: the archive does not answer now."""

    READ = "read"
    UNREADABLE = "unreadable"
    UNKNOWN = "unknown"


async def newest(context: AgentContext, engine: Engine) -> Readability:
    """Read the newest base backup again. What is unreadable must be verified once more."""
    fault = await _fault(context, engine)
    if fault is None:
        return Readability.READ
    log.warning("backup.not_read_again", kind=fault.kind, problem=fault.problem)
    return Readability.UNKNOWN if fault.kind in PASSING else Readability.UNREADABLE


async def _fault(context: AgentContext, engine: Engine) -> Fault | None:
    bucket = context.session.bucket
    if bucket is None:
        return None
    try:
        found = await valid_backups.newest(context, bucket)
        if found is None:
            return None  # the audit shows it
        before = context.session.unreadable.get(found.name)
        fault = await engine_check.unread(context, bucket, engine, found, is_repeated=True)
    except Exception as raised:  # noqa: BLE001 (whatever it is, the verification that follows shows it)
        return classify(raised)
    if fault is not None and fault.kind in PASSING and before is None:
        context.session.unreadable.pop(found.name, None)  # it proves nothing
    return fault
