"""What went wrong, in the class that says who must act, with one line of what to do."""

import re
from dataclasses import dataclass

from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

REMEDIES = {
    "auth": "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and the rights of that key",
    "clock skew": "set this machine's clock; S3 refuses requests signed 15 minutes off",
    "dns": "check the host name in AWS_ENDPOINT and the pod's name resolution",
    "tls": "check that the endpoint speaks TLS with a certificate this system trusts",
    "refused": "check AWS_ENDPOINT and whether the S3 server runs; nothing listens there",
    "timeout": "check the network between here and the S3 server, and the server's load",
    "throttled": "the S3 server asks for fewer requests; it is retried, more slowly",
    "server error": "look at the S3 server's own log; it is retried",
    "no bucket": "create the bucket named in WALSUP_ARCHIVE, or correct the name",
    "overwrite conflict": "another instance writes to this archive, or has: look at owner.json",
    "not the owner": "point WALSUP_ARCHIVE to a prefix of this database's own",
    "owner removed": "find out who deleted walsup/owner.json; the archive is not trusted without",
    "disk full": "make room on the volume of the data directory",
    "engine missing": "put wal-g, or walrus, on PATH and start again",
    "engine broken": "look at the engine's own lines in this log",
    "hole": "a segment is missing in the archive: a new base backup is needed",
    "database login": "let the role log in over the unix socket (pg_hba.conf)",
    "unknown": "look at the problem's own words, and at the log around it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A class of REMEDIES, and what happened, without secrets."""

    kind: str
    problem: str
    remedy: str = ""

    @property
    def cure(self) -> str:
        """What to do: the fault's own line, else that of its class."""
        return self.remedy or REMEDIES[self.kind]


def is_conflict(raised: BaseException) -> bool:
    """Tell whether a conditional write lost: the object exists, or has changed."""
    return isinstance(raised, (AlreadyExistsError, PreconditionError))


def is_absent(raised: BaseException) -> bool:
    """Tell whether an authorised server said that this object does not exist."""
    return isinstance(raised, FileNotFoundError) and "NoSuchBucket" not in str(raised)


def classify(raised: BaseException) -> Fault:
    """Give the fault behind an exception of obstore, or of this machine's own.

    Source: the texts of obstore 0.12.1 (object_store 0.12, reqwest), each made for real in
    tests/real/test_faults.py.
    """
    text = str(raised)
    if isinstance(raised, OSError) and raised.errno == 28:  # noqa: PLR2004 (ENOSPC)
        return Fault(kind="disk full", problem=str(raised))
    if is_conflict(raised):
        return Fault(kind="overwrite conflict", problem=_first_line(text))
    if isinstance(raised, (BaseError, FileNotFoundError, TimeoutError)):
        return Fault(kind=_kind(raised, text), problem=_first_line(text))
    return Fault(kind="unknown", problem=f"{type(raised).__name__}: {_first_line(text)}")


def _kind(raised: BaseException, text: str) -> str:
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
