"""walsup's own log: one event a line on stderr, the same keys in every process.

Standard library only: PID 1 loads it. PostgreSQL and the engine write to the same stderr, a pipe
that a process of PID 1's copies to the container's (init/log_program.py).
"""

import json
import os
import select
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

# A reader of the log that hangs must not hang PID 1 or the agent's loop.
_PATIENCE_MS = 200
_PAGE_BYTES = 4096  # for which a pipe that takes anything has room. Source: pipe(7), PIPE_BUF
_MOST_KEPT_BYTES = 1 << 16

# What others have written goes into these fields.
_FREE = frozenset(
    ("problem", "hint", "remedy", "traceback", "why", "reason", "detail", "value", "title")
)

# The container's own stderr; the agent, whose stderr is a pipe, gets it from PID 1.
TERMINAL = "WALSUP_LOG_ON_TERMINAL"
# Lines of several processes on one pipe do not mix up to PIPE_BUF, 4096 bytes (pipe(7)).
_LONGEST_LINE_BYTES = 3900
_LONGEST_TEXT = 400
_LONGEST_TRACEBACKS = (2600, 1300, 600, 0)
_SAME_EVERY_S = 60.0
_MOST_REMEMBERED = 100

_on_terminal = os.isatty(2) or TERMINAL in os.environ
_as_json = not _on_terminal
_process = "init"
_redact: "Callable[[str], str]" = str
_redact_unexpected: "Callable[[str], str]" = str
# When the same exception was last logged, and how often it was not since then.
_logged: "dict[tuple[str, str, tuple[tuple[str, int], ...]], tuple[float, int]]" = {}
_own = -1
_kept = bytearray()
_dropped = 0


def configure(log_format: str, process: str) -> None:
    """Choose `json`, `text` or `auto` (text on a terminal) and name the writing process."""
    global _as_json, _process  # noqa: PLW0603 (a process has one stderr)
    wanted = log_format.lower()
    _as_json = wanted == "json" or (wanted != "text" and not _on_terminal)
    _process = process
    _logged.clear()  # what the process before a fork has logged was not this one's


def redact_with(redact: "Callable[[str], str]") -> None:
    """Let a function cut secrets from what is written."""
    global _redact  # noqa: PLW0603 (as above)
    _redact = redact


def redact_unexpected_with(redact: "Callable[[str], str]") -> None:
    """Let a function cut secrets from unexpected exceptions only; it may be slow."""
    global _redact_unexpected  # noqa: PLW0603 (as above)
    _redact_unexpected = redact


def info(event: str, **fields: object) -> None:
    """Write a change of state."""
    _write("info", event, fields)


def warning(event: str, **fields: object) -> None:
    """Write something that a person should look at, while the work goes on."""
    _write("warning", event, fields)


def error(event: str, **fields: object) -> None:
    """Write something that stopped a piece of work."""
    _write("error", event, fields)


def unexpected(event: str, raised: BaseException, **fields: object) -> None:
    """Write an exception that points to a bug, with its traceback; the same one once a minute."""
    now_s = time.monotonic()
    key = (event, type(raised).__name__, _frames(raised))
    logged_s, times = _logged.get(key, (now_s - _SAME_EVERY_S, 0))
    if now_s - logged_s < _SAME_EVERY_S:
        _logged[key] = (logged_s, times + 1)
        return
    if len(_logged) >= _MOST_REMEMBERED:
        _logged.clear()
    _logged[key] = (now_s, 0)
    if times:
        fields["not_logged_before"] = times
    try:
        shown = described(event, raised, fields)
    except Exception:  # noqa: BLE001 (it is called where nothing more may be raised)
        shown = {"exception": type(raised).__name__}
    _write("error", event, shown)


def uncaught(_: type[BaseException], raised: BaseException, __: "TracebackType | None") -> None:
    """Log what ends this process or thread; for `sys.excepthook`."""
    unexpected("process.failed", raised)


def described(event: str, raised: BaseException, fields: dict[str, object]) -> dict[str, object]:
    """Return the fields, and an exception's problem and traceback, in the length of one line."""
    try:
        import traceback  # noqa: PLC0415 (only for a bug)

        problem = "".join(traceback.format_exception_only(raised)).strip()
        pieces = [_cut(_without_secrets(one)) for one in traceback.format_exception(raised)]
    except Exception:  # noqa: BLE001 (memory or descriptors have run out)
        problem = type(raised).__name__
        pieces = [f"{path}:{number}\n" for path, number in _frames(raised)]
    shown: dict[str, object] = {
        name: _cut(_without_secrets(value)) if isinstance(value, str) else value
        for name, value in fields.items()
    }
    shown["problem"] = _cut(_without_secrets(problem))
    trace = "".join(pieces)
    for length in _LONGEST_TRACEBACKS:
        # The end says more: the frames of walsup, and what was raised.
        shown["traceback"] = trace if len(trace) <= length else f"…{trace[len(trace) - length :]}"
        if len(line("error", event, dict(shown)).encode(errors="replace")) <= _LONGEST_LINE_BYTES:
            break
    return shown


def environment() -> dict[str, str]:
    """Return the variables that another process of walsup needs to write alike."""
    chosen = {"WALSUP_LOG_FORMAT": "json" if _as_json else "text"}
    return chosen | {TERMINAL: "1"} if _on_terminal else chosen


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


def never_wait(descriptor: int) -> None:
    """Write to this descriptor from now on, which does not block: what finds no room is kept.

    The caller calls `flush` as long as `is_kept`.
    """
    global _own  # noqa: PLW0603 (as above)
    _own = descriptor


def is_kept() -> bool:
    """Return whether lines wait for room in the log."""
    return bool(_kept) or bool(_dropped)


def flush() -> None:
    """Write what is kept as far as there is room, and how many lines were dropped meanwhile."""
    global _dropped
    _drain()
    if _dropped and not _kept:
        lost, _dropped = _dropped, 0
        _kept.extend(line("warning", "log.dropped", {"lines": lost}).encode())
        _drain()


def _write(level: str, event: str, fields: dict[str, object]) -> None:
    global _dropped  # noqa: PLW0603 (as above)
    written = line(level, event, fields).encode(errors="replace")
    if _own < 0:
        _write_patiently(written)
        return
    flush()
    # The rest of a line that is half written comes first, and a line is kept whole.
    if len(_kept) + len(written) > _MOST_KEPT_BYTES and _kept:
        _dropped += 1
        return
    _kept.extend(written)
    _drain()


def _drain() -> None:
    try:
        while _kept:
            del _kept[: os.write(_own, _kept)]
    except BlockingIOError:
        return
    except OSError:
        _kept.clear()  # stderr is gone; a database must not end for that


def _write_patiently(written: bytes) -> None:
    try:
        # One write(2) a page: lines of several processes on one stderr do not interleave.
        while written and _has_room():
            written = written[os.write(2, written[:_PAGE_BYTES]) :]
    except OSError:
        return  # as above


def _readable(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if " " in text or "\n" in text else text


def _frames(raised: BaseException) -> "tuple[tuple[str, int], ...]":
    """Return file and line of each call that led to an exception."""
    frames, trace = [], raised.__traceback__
    while trace is not None:
        frames.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    return tuple(frames)


def _without_secrets(text: str) -> str:
    return _redact(_redact_unexpected(text))


def _cut(text: str) -> str:
    """Return a text, or its beginning, whose escaped form is not too long."""
    shown = text[:_LONGEST_TEXT]
    while len(json.dumps(shown)) > _LONGEST_TEXT:
        shown = shown[: len(shown) * 3 // 4]
    return shown if shown == text else f"{shown}…"


def _has_room() -> bool:
    """Return whether a line can be written without waiting for the reader."""
    # Not O_NONBLOCK: postgres shares this descriptor, and would lose lines by it.
    waiting = select.poll()
    waiting.register(2, select.POLLOUT)
    return bool(waiting.poll(_PATIENCE_MS))
