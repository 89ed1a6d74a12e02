"""Logs the first of errors that may occur thousands of times a minute, and counts the others."""

import asyncio
from collections.abc import Callable
from typing import Any

from walsup import log

_EVERY_S = 60.0
_MOST_KINDS = 100

CallLater = Callable[[float, Callable[[], None]], object]


class Repeats:
    """Logs an error at once when it is new; then, once a minute, how many times it came again."""

    def __init__(self, every_s: float = _EVERY_S, call_later: CallLater | None = None) -> None:
        """`call_later`: calls a function after so many seconds; by default the running loop's."""
        self._every_s = every_s
        self._call_later = call_later or _in_loop
        self._counts: dict[tuple[str, str], int] = {}

    def error(self, event: str, kind: str, **fields: object) -> None:
        """Log an error, or count it when one of this event and kind was logged just now."""
        key = (event, kind)
        if key in self._counts:
            self._counts[key] += 1
        elif len(self._counts) < _MOST_KINDS:
            log.error(event, **fields)
            self._counts[key] = 0
            self._call_later(self._every_s, lambda: self._sum_up(key, fields))

    def exception(self, event: str, raised: BaseException, **fields: object) -> None:
        """Log an unexpected exception with its traceback, or count it."""
        kind = f"{type(raised).__name__} {fields}"
        self.error(event, kind, **log.described(event, raised, fields))

    def handle(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Handle what asyncio reports; its own handler writes a traceback each time."""
        problem = str(context.get("message"))
        if isinstance(raised := context.get("exception"), BaseException):
            self.exception("asyncio.failed", raised, message=problem)
        else:
            self.error("asyncio.failed", problem, problem=problem)

    def _sum_up(self, key: tuple[str, str], fields: dict[str, object]) -> None:
        if times := self._counts.pop(key):
            shown = {name: value for name, value in fields.items() if name != "traceback"}
            log.error(key[0], **shown, times=times, within_s=self._every_s)
            self._counts[key] = 0
            self._call_later(self._every_s, lambda: self._sum_up(key, fields))


def _in_loop(delay_s: float, work: Callable[[], None]) -> object:
    return asyncio.get_running_loop().call_later(delay_s, work)


REPEATS = Repeats()
