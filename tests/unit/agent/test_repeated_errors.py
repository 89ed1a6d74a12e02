"""Errors that come again and again: one line, then how many there were."""

import asyncio
import json
from collections.abc import Callable

import pytest

from walsup import log
from walsup.agent.repeated_errors import Repeats


class _Minutes:
    """A clock that the test turns: what is to be called later is called with the next minute."""

    def __init__(self) -> None:
        self._due: list[Callable[[], None]] = []

    def call_later(self, _: float, work: Callable[[], None]) -> None:
        """Keep it."""
        self._due.append(work)

    def pass_one(self) -> None:
        """Call what was due."""
        due, self._due = self._due, []
        for work in due:
            work()


def test_the_first_is_logged_and_the_others_are_counted(capfd: pytest.CaptureFixture[str]) -> None:
    """Each kind by itself; asyncio's own reports too, with the traceback once."""
    log.configure("json", "agent")
    minutes = _Minutes()
    repeats = Repeats(call_later=minutes.call_later)
    loop = asyncio.new_event_loop()
    for number in range(1000):
        repeats.handle(loop, {"message": "accept", "exception": OSError(24, "too many files")})
        if number < 3:
            repeats.error("http.not_accepted", "24", problem="too many files")
    loop.close()
    minutes.pass_one()
    repeats.error("http.not_accepted", "24", problem="too many files")
    minutes.pass_one()
    minutes.pass_one()
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    shown = [(line["event"], line.get("times")) for line in lines]
    assert shown == [
        ("asyncio.failed", None),
        ("http.not_accepted", None),
        ("asyncio.failed", 999),
        ("http.not_accepted", 2),
        ("http.not_accepted", 1),
    ]
    assert [line for line in lines if "traceback" in line] == lines[:1]
    repeats.error("http.not_accepted", "24", problem="too many files")
    assert "times" not in json.loads(capfd.readouterr().err)  # it is new again


async def test_the_running_loop_counts_by_default(capfd: pytest.CaptureFixture[str]) -> None:
    """Without a clock of the test's."""
    log.configure("json", "agent")
    repeats = Repeats(every_s=0.0)
    for _ in range(3):
        repeats.error("http.not_accepted", "24", problem="too many files")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first, summed = (json.loads(line) for line in capfd.readouterr().err.splitlines())
    assert ("times" in first, summed["times"]) == (False, 2)
