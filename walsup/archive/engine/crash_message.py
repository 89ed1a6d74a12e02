"""What a crashed engine said: the message, not the dump that follows it. Pure.

Source: Go 1.25's runtime (panic.go, signal_unix.go), Rust 1.90's default panic hook.
"""

import re

_SAID = re.compile(
    r"^\s*(?:(?:panic|fatal error|runtime|runtime/cgo): (?P<go>[^\n]+)"
    r"|thread '[^'\n]*' (?:\(\d+\) )?panicked at [^\n]+:\n\s*(?P<rust>[^\n]+))",
    re.MULTILINE,
)
_SIGNAL = re.compile(r"^\s*SIG[A-Z]+: (?P<words>[^\n]+)\n\s*PC=", re.MULTILINE)


def crash(text: str) -> str:
    """Return the message of a crash in an engine's output, "" when it has not crashed."""
    if said := _SAID.search(text):
        return f"it crashed: {(said['go'] or said['rust']).strip()}"
    if ended := _SIGNAL.search(text):
        return f"it was ended by a signal ({ended['words'].strip()})"
    return ""
