"""What an exception of the bucket's client means, in the classes of `fault`."""

import re

from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

from walsup.archive.bucket import ConflictError
from walsup.archive.fault import Fault
from walsup.archive.fileerrors import fault_of


def is_conflict(raised: BaseException) -> bool:
    """Tell whether a conditional write lost: the object exists, or has changed."""
    return isinstance(raised, (AlreadyExistsError, ConflictError, PreconditionError))


def is_absent(raised: BaseException) -> bool:
    """Tell whether an authorised server said that this object does not exist."""
    return isinstance(raised, FileNotFoundError) and "NoSuchBucket" not in str(raised)


def classify(raised: BaseException) -> Fault:
    """Give the fault behind an exception of obstore, or of this machine's own.

    Source: the texts of obstore 0.12.1 (object_store 0.12, reqwest), each made for real in
    tests/real/test_faults.py.
    """
    text = str(raised)
    if isinstance(raised, OSError) and (fault := fault_of(raised)):
        return fault
    if is_conflict(raised):
        return Fault(kind="overwrite conflict", problem=_first_line(text))
    if isinstance(raised, (BaseError, FileNotFoundError, TimeoutError)):
        return Fault(kind=_kind(raised, text), problem=_first_line(text))
    return Fault(kind="unknown", problem=f"{type(raised).__name__}: {_first_line(text)}")


def _kind(raised: BaseException, text: str) -> str:  # noqa: PLR0911 (a list of cases)
    status = re.search(r"status code: (\d{3})", text)
    code = int(status[1]) if status else 0
    if "RequestTimeTooSkewed" in text or "RequestExpired" in text:
        return "clock skew"
    if "NoSuchBucket" in text:
        return "no bucket"
    if code in (429, 503) or "SlowDown" in text:
        return "throttled" if code == 429 or "SlowDown" in text else "server error"  # noqa: PLR2004
    if code in (401, 403):
        return "auth"
    if code >= 500:  # noqa: PLR2004 (HTTP)
        return "server error"
    if isinstance(raised, TimeoutError) or "kind: Timeout" in text or "timed out" in text:
        return "timeout"
    lower = text.lower()
    if "dns error" in lower or "failed to lookup address" in lower:
        return "dns"
    if any(word in lower for word in ("certificate", "handshake", "invalidcontenttype", "tls")):
        return "tls"
    if any(word in lower for word in ("connection refused", "connection reset", "kind: connect")):
        return "refused"
    return "unknown"


def _first_line(text: str) -> str:
    """Keep what happened; drop the query of the address and the body, which may hold a key."""
    line = text.strip().partition("\n")[0]
    line = re.sub(r"\?[^ ]*", "", line)
    code = re.search(r"<Code>(\w+)</Code>", text)
    line = line.partition("<")[0].rstrip(" :")
    return (f"{line} ({code[1]})" if code else line)[:400]
