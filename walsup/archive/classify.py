"""What an exception of the bucket's client means, in the classes of `fault`."""

import re

from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

from walsup.archive.answers import kind_of
from walsup.archive.bucket import ConflictError
from walsup.archive.fault import Fault, FaultError
from walsup.archive.fileerrors import fault_of


def is_conflict(raised: BaseException) -> bool:
    """Tell whether a conditional write lost: the object exists, or has changed."""
    return isinstance(raised, (AlreadyExistsError, ConflictError, PreconditionError))


def is_absent(raised: BaseException) -> bool:
    """Tell whether an authorised server said that this object does not exist."""
    return isinstance(raised, FileNotFoundError) and "NoSuchBucket" not in str(raised)


def classify(raised: BaseException) -> Fault:
    """Give the fault behind an exception of obstore, or of this machine's own.

    A note of the exception names the right that its request needed (`Bucket` adds it).

    Source: the texts of obstore 0.12.1 (object_store 0.14, reqwest), each made for real in
    tests/real/test_faults.py.
    """
    text = str(raised)
    if isinstance(raised, FaultError):
        return raised.fault
    if isinstance(raised, OSError) and (fault := fault_of(raised)):
        return fault
    if is_conflict(raised):
        return Fault(kind="overwrite conflict", problem=_first_line(text))
    if not isinstance(raised, (BaseError, OSError)):
        return Fault(kind="unknown", problem=f"{type(raised).__name__}: {_first_line(text)}")
    kind = _kind(raised, text)
    rights = [*getattr(raised, "__notes__", ())] if kind == "no rights" else []
    cut_off = kind == "refused" and any(w in text.lower() for w in _CUT_OFF)
    problem = ": ".join([*rights, _first_line(text)])
    return Fault(kind=kind, problem=problem, remedy=_MEND if cut_off else "")


def _kind(raised: BaseException, text: str) -> str:  # noqa: PLR0911 (a list of cases)
    status = re.search(r"status code: (\d{3})", text)
    code = re.search(r"<Code>(\w+)</Code>", text)
    found = kind_of(
        code[1] if code else "NoSuchBucket" if "NoSuchBucket" in text else "",
        int(status[1]) if status else 0,
    )
    lower = text.lower()
    if found:
        return found
    if "without location" in lower:
        return "wrong region"
    if isinstance(raised, TimeoutError) or "kind: Timeout" in text or "timed out" in lower:
        return "timeout"
    if any(w in lower for w in _DNS):
        return "dns"
    if any(w in lower for w in _TLS):
        return "tls"
    if any(w in lower for w in (*_REFUSED, *_CUT_OFF)):
        return "refused"
    if isinstance(raised, PermissionError):  # obstore's word for 403 without a document
        return "auth"
    return "unknown"


_DNS = ("dns error", "failed to lookup address")
_TLS = ("certificate", "handshake", "invalidcontenttype", "tls")
_REFUSED = ("connection refused", "connection reset", "kind: connect")
_CUT_OFF = (
    *("response body error", "end of file before message length", "incompletemessage"),
    *("connection closed before message completed", "broken pipe", "unexpected eof"),
)
_MEND = (
    "check the network, the proxies and load balancers between here and the S3 server: connections"
    " are cut off in the middle of a transfer"
)


def _first_line(text: str) -> str:
    """Keep what happened; drop the query of the address and the body, which may hold a key."""
    line = text.strip().partition("\n")[0]
    line = re.sub(r"\?[^ ]*", "", line)
    line = re.sub(r" in [\d.]+(?:ns|µs|ms|s)\b", "", line)  # a fault that stands stays the same
    code = re.search(r"<Code>(\w+)</Code>", text)
    line = line.partition("<")[0].rstrip(" :")
    return (f"{line} ({code[1]})" if code else line)[:400]
