"""Parse what prepare and the agent send to PID 1, once, at the end of the pipe.

A line that is no message becomes `Invalid`. No line raises.
"""

import json

from walsup.pid1_messages import (
    DAEMONS,
    Beat,
    ExplainExit,
    ExtendLease,
    Launch,
    Progress,
    Refusal,
    Reload,
    RequestStop,
    SetDaemon,
    StartAgent,
    StartPostgres,
    Verdict,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    from walsup.pid1_messages import FromAgent, FromPrepare

    Message = TypeVar("Message")

_Fields = dict[str, object]

_HIGHEST_EXIT_CODE = 255
_LONGEST_DELAY_S = 3600.0
_FAULT_PARTS = 3
_LONGEST_PROBLEM = 200


class Invalid:
    """A line that is no message. `problem` names fields but never values, which may be secret."""

    __slots__ = ("problem",)

    def __init__(self, problem: str) -> None:
        self.problem = problem


def from_prepare(line: bytes) -> "FromPrepare | Invalid":
    """Return the message of prepare in this line."""
    try:
        return _built(_PREPARE, line)
    except (ValueError, RecursionError) as fault:
        return Invalid(_shortened(fault))


def from_agent(line: bytes) -> "FromAgent | Invalid":
    """Return the message of the agent in this line."""
    try:
        return _built(_AGENT, line)
    except (ValueError, RecursionError) as fault:
        return Invalid(_shortened(fault))


def _built(kinds: "Mapping[str, Callable[[_Fields], Message]]", line: bytes) -> "Message":
    """Return the message that belongs to the first of these fields that is present."""
    fields = _parsed(line)
    for name, build in kinds.items():
        if name in fields:
            return build(fields)
    raise ValueError(f"not a message: {sorted(fields)!a}")


def _parsed(line: bytes) -> _Fields:
    try:
        message = json.loads(line)
    except ValueError:
        message = None
    if not isinstance(message, dict):
        raise ValueError(f"not a JSON object: {len(line)} bytes")  # noqa: TRY004 (as below)
    return message


def _start(fields: _Fields) -> "StartAgent | StartPostgres":
    launch, awaits_verdict = _launch(fields), fields.get("verdict") is True
    if fields["launch"] == "agent":
        after_s = _number(fields, "after_s", 0.0, highest=_LONGEST_DELAY_S)
        generation = _generation(fields, default=1)
        return StartAgent(launch, generation, after_s, awaits_verdict=awaits_verdict)
    if fields["launch"] == "postgres":
        return StartPostgres(launch, _text(fields, "boot", ""), awaits_verdict=awaits_verdict)
    raise ValueError("launch is neither agent nor postgres")


def _launch(fields: _Fields) -> Launch:
    argv, environment = fields.get("argv"), fields.get("environment")
    if not (isinstance(argv, list) and argv and all(isinstance(part, str) for part in argv)):
        raise ValueError(f"argv is not a list of strings: {sorted(fields)!a}")
    if not (
        isinstance(environment, dict)
        and all(isinstance(value, str) for value in environment.values())
    ):
        raise ValueError(f"environment is not an object of strings: {sorted(fields)!a}")
    return Launch(argv, environment, _text(fields, "cwd", "/") or "/")


def _daemon(fields: _Fields) -> SetDaemon:
    name, generation = _text(fields, "daemon"), _generation(fields, default=0)
    if name not in DAEMONS:
        raise ValueError(f"no such daemon: {len(name)} characters")
    until_s = _number(fields, "lease", float("inf"))
    return SetDaemon(name, _launch(fields) if generation else None, generation, until_s)


def _fault(fields: _Fields) -> "tuple[str, ...]":
    fault = fields.get("fault", [])
    if not isinstance(fault, list) or not all(isinstance(part, str) for part in fault):
        raise ValueError("fault is not a list of strings")
    if len(fault) not in (0, _FAULT_PARTS):
        raise ValueError(f"fault has {len(fault)} parts")
    return tuple(fault)


def _text(fields: _Fields, name: str, default: "str | None" = None) -> str:
    value = fields.get(name, default)
    if not isinstance(value, str):
        raise ValueError(f"{name} is not a string")  # noqa: TRY004 (one class for all of a line)
    return value


def _number(
    fields: _Fields, name: str, default: "float | None" = None, highest: float = float("inf")
) -> float:
    value = fields.get(name, default)
    # Not a number is in no range; an integer may be too large for a float.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= highest:
        raise ValueError(f"{name} is not a number from 0 to {highest}")
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def _generation(fields: _Fields, default: int) -> int:
    value = fields.get("generation", default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("generation is not a whole number")
    return value


def _exit_code(fields: _Fields) -> int:
    value = fields.get("code", 0)
    in_range = isinstance(value, int) and 0 <= value <= _HIGHEST_EXIT_CODE
    if isinstance(value, bool) or not isinstance(value, int) or not in_range:
        raise ValueError(f"code is not a number from 0 to {_HIGHEST_EXIT_CODE}")
    return value


# The first of these fields that is present decides which message a line is.
_PREPARE: "dict[str, Callable[[_Fields], FromPrepare]]" = {
    "launch": _start,
    "daemon": _daemon,
    "refused": lambda fields: Refusal(_text(fields, "refused"), _exit_code(fields)),
    "detail": lambda fields: Progress(_text(fields, "detail"), _fault(fields)),
}
_AGENT: "dict[str, Callable[[_Fields], FromAgent]]" = {
    "daemon": _daemon,
    "lease": lambda fields: ExtendLease(_number(fields, "lease")),
    "reload": lambda _: Reload(),
    "doom": lambda fields: ExplainExit(_text(fields, "doom"), _exit_code(fields)),
    "end": lambda fields: RequestStop(_text(fields, "end"), _exit_code(fields)),
    "verdict": lambda fields: Verdict(_text(fields, "verdict")),
    "beat": lambda _: Beat(),
}


def _shortened(fault: Exception) -> str:
    return str(fault)[:_LONGEST_PROBLEM]
