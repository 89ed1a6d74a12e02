"""The meaning of an engine's output, in the classes of `faults`. Pure.

The engines exit with 1 whatever happened. Source: messages of WAL-G 3.0.8 (aws-sdk-go 1.55, pgx)
and WAL-RUS 0.4.1, each produced by the engine itself; the texts are in
tests/unit/archive/engine/test_output.py.
"""

import re
from collections.abc import Iterable

from walsup.archive.engine.crash_message import crash
from walsup.archive.faults import Fault, FaultKind
from walsup.archive.s3_error_codes import ErrorMeaning, is_page, meaning
from walsup.postgres.sql import session_interrupts
from walsup.redaction import redact

# WAL-RUS prints the status and the document, WAL-G the code and, a line later, the status.
_ANSWER = re.compile(
    r"\bhttp (?P<status>\d{3}): ?(?:<\?xml[^>]*>\s*)?"
    r"(?:<Error>.{0,200}?<Code>(?P<code>\w+)</Code>)?"
    r"|[^\n]*: (?P<code_g>[A-Z]\w+): [^\n]*\n\s*status code: (?P<status_g>\d{3})",
    re.DOTALL,
)
_RIGHTS = (
    (re.compile(r"failed to upload '([^']+)'"), "s3:PutObject"),
    (re.compile(r"failed to read object: '([^']+)'"), "s3:GetObject"),
    (re.compile(r"failed to (?:check|head) s3 object '([^']+)'"), "s3:GetObject"),
    (re.compile(r"failed to list s3 folder: '([^']+)'"), "s3:ListBucket"),
    (re.compile(r"\bdownload the file (\S+): http 40[13]"), "s3:GetObject"),
    (re.compile(r"\bput (\S+): http 40[13]"), "s3:PutObject"),
    (re.compile(r"\b(?:get|content-compare) (\S+): http 40[13]"), "s3:GetObject"),
    (re.compile(r"\blist (\S+): http 40[13]"), "s3:ListBucket"),
)
# The order matters: after a rejected login WAL-G tries localhost, and is rejected there too.
_WORDS: tuple[tuple[FaultKind, tuple[str, ...]], ...] = (
    (
        FaultKind.DATABASE_LOGIN,
        (
            *("no pg_hba.conf entry", "password authentication failed", "pgpassword unset"),
            *("md5 password auth not supported", "failed to connect to `", "connect to unix:"),
            *("postgres connection failed", "(sqlstate 28", "auth: fatal"),
        ),
    ),
    (FaultKind.ENGINE_UNABLE, ("was not compiled with", "openpgp encryption is not supported")),
    (FaultKind.NO_PRIVATE_KEY, ("openpgp: invalid data: private key checksum failure",)),
    (FaultKind.DISK_FULL, ("no space left on device", "disk quota exceeded")),
    (
        FaultKind.OVERWRITE_CONFLICT,
        ("contents differ, unable to overwrite", "already present with different bytes"),
    ),
    (
        FaultKind.AUTH,
        ("nocredentialproviders", "auth error: imds", "incomplete static credentials"),
    ),
    (FaultKind.DNS, ("no such host", "failed to lookup address", "dns error")),
    (FaultKind.TLS, ("x509:", "tls certificate", "server gave http response to https", "tls: ")),
    (FaultKind.TIMEOUT, ("i/o timeout", "deadline exceeded", "timed out", "client.timeout")),
    (
        FaultKind.REFUSED,
        (
            *("connection refused", "connection reset", "error sending request"),
            *("broken pipe", "unexpected eof"),
        ),
    ),
)
_MOST_SHOWN = 400
_FIRST = (
    FaultKind.DATABASE_LOGIN,
    FaultKind.ENGINE_UNABLE,
    FaultKind.DISK_FULL,
    FaultKind.OVERWRITE_CONFLICT,
)
_UNTOLD = (
    "check the fault of the bucket: WAL-RUS does not report whether the name, the port, the"
    " certificate or the network is wrong"
)


def classify_output(text: str, secrets: Iterable[str]) -> Fault:
    """Return the fault of an engine's output; "engine broken" when the output names none.

    The problem is the line that names it, without the secrets.
    """
    fault = _of_output(text)
    return fault._replace(problem=redact(fault.problem, secrets)[:_MOST_SHOWN])


def _of_output(text: str) -> Fault:
    setting, line = session_interrupts.setting_behind(text)
    if setting:
        # First, because a client reports an ended session as an error of the network.
        problem = f"{setting} ends or blocks the engine's session: {_line(line, 0)}"
        return Fault(FaultKind.DATABASE_SETTING, problem, session_interrupts.remedy(setting))
    if words := _of_words(text, last_only=_FIRST):
        return words
    answers = [
        (told, found) for found in _ANSWER.finditer(text) if (told := _meaning(text, found)).kind
    ]
    if answers:
        told, found = answers[-1]
        kind = told.kind or FaultKind.UNKNOWN
        line = _line(text, found.start())
        right = _right(text[: found.end()]) if kind == FaultKind.NO_RIGHTS else ""
        code = found["code"] or ""
        problem = f"{right}{line}" + (f" ({code})" if code else "")
        return Fault(kind=kind, problem=problem, remedy=told.remedy)
    said = crash(text) or _line(text.rstrip(), len(text))
    return _of_words(text) or Fault(kind=FaultKind.ENGINE_BROKEN, problem=said)


def _of_words(text: str, last_only: tuple[FaultKind, ...] = ()) -> Fault | None:
    lower = text.lower()
    for kind, words in _WORDS:
        if last_only and kind not in last_only:
            continue
        if told := next((word for word in words if word in lower), None):
            line = _line(text, lower.rfind(told))
            untold = kind == FaultKind.REFUSED and "error sending request" in line
            return Fault(kind=kind, problem=line, remedy=_UNTOLD if untold else "")
    return None


def _meaning(text: str, found: re.Match[str]) -> ErrorMeaning:
    """Return the meaning of an answer, with the text that the engine prints of it."""
    if found["code_g"]:
        return meaning(found["code_g"], _status(found), found[0])
    rest = text[found.end() : found.end() + _MOST_SHOWN]
    if found["code"]:
        return meaning(found["code"], _status(found), rest.partition("</Error>")[0])
    line = rest.partition("\n")[0]
    return meaning("", _status(found), rest if is_page(rest) else line if "HTTPS" in line else "")


def _right(text: str) -> str:
    """Return the missing permission that the last message before an answer names."""
    found = [(m.start(), name, m[1]) for p, name in _RIGHTS for m in p.finditer(text)]
    if not found:
        return ""
    _, name, key = max(found)
    return f"{name} on {key}: "


def _status(found: re.Match[str]) -> int:
    return int(found["status"] or found["status_g"] or 0)


def _line(text: str, at: int) -> str:
    """Return the line around a position, without its leading time."""
    line = text[text.rfind("\n", 0, at) + 1 :].partition("\n")[0].strip()
    line = re.sub(r"^\S+Z +(ERROR|WARN|INFO) +|^(ERROR|WARNING|INFO): \S+ \S+ +", "", line)
    return line.partition("<?xml")[0].strip(" :")
