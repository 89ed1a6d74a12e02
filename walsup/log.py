"""walsup's own log: one event a line on stderr, the same keys in every process.

Standard library only: PID 1 loads it. PostgreSQL and the engine write to the same stderr, a pipe
that a process of PID 1's copies to the container's (init/pumping.py).
"""

import json
import os
import select
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# A reader of the log that hangs must not hang PID 1 or the agent's loop.
_PATIENCE_MS = 200

# What others have written goes into these fields.
_FREE = frozenset(
    ("problem", "hint", "remedy", "traceback", "why", "reason", "detail", "value", "title")
)

# The container's own stderr; the agent, whose stderr is a pipe, is told.
TERMINAL = "WALSUP_LOG_ON_TERMINAL"
_on_terminal = os.isatty(2) or TERMINAL in os.environ
_as_json = not _on_terminal
_process = "init"
_redact: "Callable[[str], str]" = str


def configure(log_format: str, process: str) -> None:
    """Choose `json`, `text` or `auto` (text on a terminal) and name the writing process."""
    global _as_json, _process  # noqa: PLW0603 (a process has one stderr)
    wanted = log_format.lower()
    _as_json = wanted == "json" or (wanted != "text" and not _on_terminal)
    _process = process


def redact_with(redact: "Callable[[str], str]") -> None:
    """Let a function cut secrets from what is written."""
    global _redact  # noqa: PLW0603 (as above)
    _redact = redact


def info(event: str, **fields: object) -> None:
    """Write a change of state."""
    _write("info", event, fields)


def warning(event: str, **fields: object) -> None:
    """Write something that a person should look at, while the work goes on."""
    _write("warning", event, fields)


def error(event: str, **fields: object) -> None:
    """Write something that stopped a piece of work."""
    _write("error", event, fields)


def environment() -> dict[str, str]:
    """Return the variable that another process of walsup needs to write alike."""
    return {TERMINAL: "1"} if _on_terminal else {}


def is_json() -> bool:
    """Return whether lines are JSON."""
    return _as_json


def line(level: str, event: str, fields: dict[str, object]) -> str:
    """Return a line of this log, its end included."""
    now = time.time()
    for name in _FREE & fields.keys():
        fields[name] = _redact(str(fields[name]))
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
    if _as_json:
        head: dict[str, object] = {"ts": stamp, "level": level, "process": _process, "event": event}
        return json.dumps(head | fields, default=str) + "\n"
    tail = " ".join(f"{key}={_readable(value)}" for key, value in fields.items())
    return f"{stamp} walsup[{_process}] {level}: {event} {tail}".rstrip() + "\n"


def _write(level: str, event: str, fields: dict[str, object]) -> None:
    try:
        if _has_room():
            # One write(2) a line: lines of several processes on one stderr do not interleave.
            os.write(2, line(level, event, fields).encode(errors="replace"))
    except OSError:
        return  # stderr is gone; a database must not end for that


def _readable(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if " " in text or "\n" in text else text


def _has_room() -> bool:
    """Tell whether a line can be written without waiting for whoever reads it."""
    # Not O_NONBLOCK: postgres shares this descriptor, and would lose lines by it.
    waiting = select.poll()
    waiting.register(2, select.POLLOUT)
    return bool(waiting.poll(_PATIENCE_MS))
