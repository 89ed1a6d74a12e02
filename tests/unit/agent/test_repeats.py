"""Errors that come again and again: one line, then how many there were."""

import asyncio
import json

import pytest

from walsup import log
from walsup.agent.repeats import Repeats


async def test_the_first_is_logged_and_the_others_are_counted(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Each kind by itself; asyncio's own reports too, with the traceback once."""
    log.configure("json", "agent")
    repeats = Repeats(every_s=0.2)
    loop = asyncio.get_running_loop()
    for number in range(1000):
        repeats.handle(loop, {"message": "accept", "exception": OSError(24, "too many files")})
        if number < 3:
            repeats.error("http.not_accepted", "24", problem="too many files")
    await asyncio.sleep(0.3)
    repeats.error("http.not_accepted", "24", problem="too many files")
    await asyncio.sleep(0.3)
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    shown = [(line["event"], line.get("times")) for line in lines]
    assert shown.count(("asyncio.failed", None)) == 1
    assert shown.count(("asyncio.failed", 999)) == 1
    assert shown.count(("http.not_accepted", None)) == 1
    assert [line for line in lines if "traceback" in line] == lines[:1]
    assert len(lines) <= 5
