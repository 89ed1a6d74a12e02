"""WALSUP_PRIMARY_CONNINFO: where the primary is, in libpq's words; the password is kept apart."""

import re
from typing import NamedTuple

# Source: PostgreSQL 15, fe-connect.c, conninfo_parse: blanks around "=", a backslash escapes.
_PAIR = re.compile(
    r"\s*([^\s=]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s\\']|\\.)*))(?=\s|\Z)", re.DOTALL
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_PLAIN = re.compile(r"[\w./:,@%+-]+")
# What walsup says itself, or what the walreceiver does not take.
_OURS = ("dbname", "replication", "passfile", "application_name", "fallback_application_name")


class Conninfo(NamedTuple):
    """Parameters in the order in which they were given, without the password."""

    parameters: tuple[tuple[str, str], ...]
    password: str = ""

    def __repr__(self) -> str:
        """Show what is no secret."""
        return f"Conninfo({render(self.parameters)!r})"


def read(text: str) -> Conninfo:
    """Read `host=… port=… user=…`; errors do not contain the value, which may be secret."""
    if re.match(r"\s*postgres(ql)?://", text):
        raise ValueError("write it as host=… port=… user=…, not as a URI")
    found: dict[str, str] = {}
    at = 0
    while text[at:].strip():
        match = _PAIR.match(text, at)
        if match is None:
            raise ValueError("it cannot be read as key=value pairs")
        name, quoted, bare = match.groups()
        found[name] = _ESCAPE.sub(r"\1", bare if quoted is None else quoted)
        at = match.end()
    if taken := [name for name in _OURS if name in found]:
        raise ValueError(f"{', '.join(taken)}: leave it out, walsup sets it")
    if "sslpassword" in found:
        raise ValueError(
            "sslpassword would be visible on postgres's command line: use a key"
            " without a passphrase"
        )
    if not found.get("host") and not found.get("hostaddr"):
        raise ValueError("it contains no host")
    password = found.pop("password", "")
    return Conninfo(tuple(found.items()), password)


def render(parameters: tuple[tuple[str, str], ...]) -> str:
    """Return them in libpq's form."""
    return " ".join(f"{name}={_quoted(value)}" for name, value in parameters)


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
