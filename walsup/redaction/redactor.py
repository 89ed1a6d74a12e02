"""Cut secrets from text that a program, a server or an exception has written.

A secret is found as it is, as programs quote and escape it (SQL, JSON, URLs, XML, shells, base64,
hexadecimal), and in part when it is long. One that is an ordinary word is cut as a whole word, one
of up to three characters only where a value stands: cut everywhere, it would leave no text. One
that is public besides (a role's name, "postgres") is cut only where the text calls it a password.
What SQL, a connection string or a header calls a password is cut whether or not it is known.
"""

import base64
import binascii
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from itertools import pairwise

from walsup.redaction.escapes import forms, plain

SHOWN = "***"
_TINY = 4
_WORD_BELOW = 12
_PART_BYTES = 12
_PARTS_FROM_BYTES = 16
_LEAST_PLAIN_BYTES = 8

_VALUE = (
    r"""(?:'(?P<sq>(?:[^'\\\n]|''|\\.)*)'?|"(?P<dq>(?:[^"\\\n]|\\.)*)"?|(?P<bare>[^\s'",;&]+))"""
)
_NAMED = r"(?:password|passwd|passphrase|secret|secret_?access_?key|session_?token|token)"
_STRUCTURES = tuple(
    re.compile(text, re.IGNORECASE)
    for text in (
        r"\bpassword\s+(?:e|u&)?'(?P<sql>(?:[^'\\\n]|''|\\.)*)",
        rf"""{_NAMED}["']?\s*=\s*{_VALUE}""",
        rf"""{_NAMED}["']\s*:\s*{_VALUE}""",
        r"://[^/\s:@]*:(?P<userinfo>[^\s]+)@",
        r"\bauthorization\b\W{1,4}(?:basic|bearer|aws4-hmac-sha256)\s+(?P<header>[^\n]+)",
        r"\b(?:x-amz-)?(?:credential|signature|security-token|awsaccesskeyid)=(?P<query>[^&\s\"'<]+)",
        r"(?P<scram>SCRAM-SHA-256\$\d+:[\w+/=]+\$[\w+/=]+:[\w+/=]+)",
        r"\b(?P<md5>md5[0-9a-f]{32})\b",
    )
)
# What calls the word that follows a password. `user:word@host` does, too.
_CALLED = (
    r"(?:(?i:password|passwd|passphrase|pwd|secret|token|access_?key)[\"'`]?(?:\s*[:=]\s*|\s+)"
    r"[\"'`]?(?P<after>WORD)(?![A-Za-z0-9_])|:(?P<userinfo>WORD)@)"
)
# Names of roles, databases and programs, and words of theirs, that people use as passwords.
_WORDS = """
admin administrator app application archive backup base bucket client cluster connection data
database default demo demouser dev error example file files host key local localhost log login
main master minio minioadmin name password passwd pgbouncer pguser postgres postgresql primary
prod public replica replication replicator repmgr restore role root secret segment server
service standby start stop streaming_replica superuser system template0 template1 test token
user username volume walsup
"""
_ORDINARY = frozenset(_WORDS.split())
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{6,}={0,2}")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}){4,}")

Span = tuple[int, int]


class Redactor:
    """What is looked for of a fixed set of secrets."""

    def __init__(
        self, secrets: Iterable[str], *, words: bool, public: Collection[str] = ()
    ) -> None:
        """`words`: whether a secret that is an ordinary word is cut wherever it is a word.

        `public`: names of this installation, which everybody may read.
        """
        self._literal: set[str] = set()
        self._plain: dict[bytes, int] = {}  # with the shortest text that counts
        self._bytes: set[bytes] = set()
        patterns: list[str] = []
        called: list[str] = []
        for secret in {variant for given in secrets for variant in _variants(given)}:
            if secret in public or secret.lower() in _ORDINARY:
                called += [re.escape(form) for form in forms(secret)]
                continue
            if (_is_word(secret) and not words) or (len(secret) < _TINY and secret.isascii()):
                patterns += [_as_value(form) for form in forms(secret)]
                continue
            self._bytes.add(secret.encode("utf-8", "surrogateescape"))
            if _is_word(secret):
                patterns.append(rf"(?<![A-Za-z0-9_]){secret}(?![A-Za-z0-9_])")
                continue
            self._literal.update(forms(secret))
            reduced = plain(secret)[0]
            if len(reduced) >= _TINY:
                # An ordinary word counts only with what makes it the secret, or escaped.
                self._plain[reduced] = 0 if _is_distinct(reduced) else len(secret)
        self._pattern = re.compile("|".join(patterns), re.MULTILINE) if patterns else None
        self._called = re.compile(_CALLED.replace("WORD", "|".join(called))) if called else None
        self._parts = {
            reduced[at : at + _PART_BYTES]
            for reduced in self._plain
            if len(reduced) >= _PARTS_FROM_BYTES
            for at in range(len(reduced) - _PART_BYTES + 1)
        }

    def redact(self, text: str) -> str:
        """Return the text with `***` for each secret in it; the number of its lines stays."""
        pieces, end = [], 0
        for start, stop in _merged(self._spans(text)):
            pieces += [text[end:start], SHOWN, "\n" * text.count("\n", start, stop)]
            end = stop
        return "".join([*pieces, text[end:]])

    def _spans(self, text: str) -> Iterator[Span]:
        for structure in _STRUCTURES:
            for found in structure.finditer(text):
                yield from (found.span(name) for name in found.groupdict() if found[name])
        for literal in self._literal:
            yield from _places(text, literal)
        if self._pattern:
            yield from (found.span() for found in self._pattern.finditer(text))
        if self._called:
            for found in self._called.finditer(text):
                yield found.span("after" if found["after"] else "userinfo")
        if self._plain:
            yield from self._escaped(text)
        yield from self._encoded(text)

    def _escaped(self, text: str) -> Iterator[Span]:
        """Find secrets in any mixture of escapes, and parts of long ones."""
        reduced, origins = plain(text)
        for wanted, least in self._plain.items():
            for start, end in _places(reduced, wanted):
                place = origins[start][0], origins[end - 1][1]
                if place[1] - place[0] >= least:
                    yield place
        for start in range(len(reduced) - _PART_BYTES + 1) if self._parts else ():
            if reduced[start : start + _PART_BYTES] in self._parts:
                yield origins[start][0], origins[start + _PART_BYTES - 1][1]

    def _encoded(self, text: str) -> Iterator[Span]:
        """Find runs of base64 or hexadecimal digits that hold a secret."""
        if not self._bytes:
            return
        for found in _BASE64.finditer(text):
            run = found[0].rstrip("=").replace("-", "+").replace("_", "/")
            if any(self._holds(_base64(run[skip:])) for skip in range(4)):
                yield found.span()
        for found in _HEX.finditer(text):
            if self._holds(binascii.unhexlify(found[0])):
                yield found.span()

    def _holds(self, decoded: bytes) -> bool:
        return any(secret in decoded for secret in self._bytes)


def _variants(secret: str) -> Iterator[str]:
    """Yield a secret, its lines (a key of several), and its forms in Unicode."""
    yield secret
    for line in secret.splitlines() if "\n" in secret else ():
        if len(line.strip()) >= _LEAST_PLAIN_BYTES:
            yield line.strip()
    if not secret.isascii():
        for form in ("NFC", "NFD", "NFKC"):
            yield unicodedata.normalize(form, secret)


def _is_word(secret: str) -> bool:
    return secret.isascii() and secret.isalnum() and len(secret) < _WORD_BELOW


def _is_distinct(reduced: bytes) -> bool:
    """Return whether a secret without its quotes and blanks is no ordinary word."""
    return len(reduced) >= _LEAST_PLAIN_BYTES and (
        len(reduced) >= _WORD_BELOW or not reduced.isalpha()
    )


def _as_value(form: str) -> str:
    quoted = re.escape(form)
    if form.isspace():
        # After a colon there is a blank in any text.
        return rf"""(?<=['"`]){quoted}(?=['"`])"""
    return rf"""(?<=['"`=:]){quoted}(?=['"`@\s,;&)]|$)|(?<=^){quoted}(?=$)|^\s+{quoted}\s*$"""


def _places(text: str | bytes, wanted: str | bytes) -> Iterator[Span]:
    at = text.find(wanted)  # type: ignore[arg-type]
    while at >= 0:
        yield at, at + len(wanted)
        at = text.find(wanted, at + len(wanted))  # type: ignore[arg-type]


def _merged(spans: Iterable[Span]) -> Iterator[Span]:
    ordered = sorted(spans)
    if not ordered:
        return
    start, end = ordered[0]
    for _, (low, high) in pairwise(ordered):
        if low > end:
            yield start, end
            start, end = low, high
        end = max(end, high)
    yield start, end


def _base64(run: str) -> bytes:
    whole = run[: len(run) // 4 * 4]
    rest = run[len(whole) :]
    # Two or three characters more hold one or two bytes.
    padded = whole + (rest + "=" * (4 - len(rest)) if len(rest) > 1 else "")
    return base64.b64decode(padded)
