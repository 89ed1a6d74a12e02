"""Waiting for something to be seen."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_POLL_S = 0.05


class NotSeenError(AssertionError):
    """What was waited for was not seen in time."""


def wait_until(
    look: Callable[[], T | None],
    what: str,
    *,
    timeout_s: float = 30.0,
    evidence: Callable[[], str] = str,
) -> T:
    """The first truthy answer of `look`.

    Raises:
        NotSeenError: after `timeout_s`, naming `what`, with `evidence()` (such as a log's tail).
    """
    deadline = time.monotonic() + timeout_s
    while True:
        if answer := look():
            return answer
        if time.monotonic() > deadline:
            problem = f"not seen within {timeout_s:g} s: {what}\n{evidence()}"
            raise NotSeenError(problem.rstrip())
        time.sleep(_POLL_S)
