"""Which setting of PostgreSQL ends or blocks a session, by the server's message. Pure."""

import re
from typing import NamedTuple

_STATE = re.compile(r"\bsqlstate:? ?([0-9a-z]{5})\b")

_PRELOADS = "session_preload_libraries or local_preload_libraries"


class _Sign(NamedTuple):
    """`states`: SQLSTATEs that mean nothing else; `words`: in lower case, of English messages."""

    setting: str
    states: tuple[str, ...]
    words: tuple[str, ...]


# Source: PostgreSQL 15, errcodes.txt, postgres.c (ProcessInterrupts), utility.c; 17, postgres.c.
_SIGNS = (
    _Sign("idle_session_timeout", ("57p05",), ("due to idle-session timeout",)),
    _Sign(
        "idle_in_transaction_session_timeout", ("25p03",), ("due to idle-in-transaction timeout",)
    ),
    _Sign("transaction_timeout", ("25p04",), ("due to transaction timeout",)),
    _Sign("statement_timeout", (), ("canceling statement due to statement timeout",)),
    _Sign("lock_timeout", (), ("canceling statement due to lock timeout",)),
    _Sign("default_transaction_read_only", ("25006",), ("in a read-only transaction",)),
    # Not 58P01, which is that of every missing file.
    _Sign(_PRELOADS, (), ('could not access file "',)),
)


def setting_behind(text: str) -> tuple[str, str]:
    """Return the setting that the last such message in `text` names, and its line; "" twice.

    `text`: the output of an engine or a client.
    """
    for line in reversed(text.splitlines()):
        if setting := _setting(line.lower()):
            return setting, line.strip()
    return "", ""


def remedy(setting: str) -> str:
    """Return the remedy."""
    if setting == _PRELOADS:
        return (
            "install the named library, or remove it from the setting (postgresql.conf, ALTER"
            " ROLE … RESET, ALTER DATABASE … RESET); for a superuser walsup leaves it out"
        )
    return (
        f"walsup's sessions set {setting} themselves, but something overrides it in them: look"
        " for a login trigger or a preloaded library that does this"
    )


def _setting(line: str) -> str:
    states = _STATE.findall(line)
    for sign in _SIGNS:
        if any(state in sign.states for state in states) or any(w in line for w in sign.words):
            return sign.setting
    return ""
