"""The meaning of an exception of the archive's client, in the classes of `faults`."""

from walsup import log
from walsup.archive.faults import Fault, FaultError, FaultKind
from walsup.archive.storage.bucket import ConflictError
from walsup.archive.storage.file_errors import fault_of
from walsup.errors import WalsupError
from walsup.redaction import redact_known

# Not a bug: a server, a disk, the network or the machine caused it. asyncpg's exceptions are given
# by name, because most processes do not load it.
_EXPECTED = (OSError, EOFError, MemoryError, ConflictError, FaultError, WalsupError)


def is_conflict(raised: BaseException) -> bool:
    """Return whether a conditional write failed: the object exists, or has changed."""
    return isinstance(raised, ConflictError)


def is_absent(raised: BaseException) -> bool:
    """Return whether an authorised server said that this object does not exist."""
    return isinstance(raised, FileNotFoundError) and "NoSuchBucket" not in str(raised)


def classify(raised: BaseException) -> Fault:
    """Return the fault that caused an exception of the client, or of this machine.

    Its text has none of the secrets that this process knows.
    """
    fault = _fault_behind(raised)
    return fault._replace(problem=redact_known(fault.problem))


def note(raised: BaseException) -> None:
    """Log an exception with its traceback if it points to a bug in walsup."""
    if not isinstance(raised, _EXPECTED) and not type(raised).__module__.startswith("asyncpg"):
        log.unexpected("work.failed", raised)


def _fault_behind(raised: BaseException) -> Fault:
    if isinstance(raised, FaultError):
        return raised.fault
    if isinstance(raised, OSError) and (fault := fault_of(raised)):
        return fault
    said = redact_known(str(raised).strip().partition("\n")[0])[:400]
    if is_conflict(raised):
        return Fault(kind=FaultKind.OVERWRITE_CONFLICT, problem=said)
    if isinstance(raised, MemoryError):
        return Fault(
            kind=FaultKind.OUT_OF_MEMORY, problem=f"no memory is left{f': {said}' if said else ''}"
        )
    if isinstance(raised, TimeoutError):
        return Fault(kind=FaultKind.TIMEOUT, problem=said or "timed out")
    note(raised)
    return Fault(kind=FaultKind.UNKNOWN, problem=f"{type(raised).__name__}: {said}")
