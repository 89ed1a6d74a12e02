"""Tasks of the agent that are restarted whatever ends them."""

import asyncio
from collections.abc import Awaitable, Callable

from walsup import units
from walsup.agent.repeated_errors import REPEATS


def begin(name: str, work: Callable[[], Awaitable[None]]) -> "asyncio.Task[None]":
    """Begin a task that runs `forever`."""
    return asyncio.create_task(forever(name, work))


async def forever(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Run a loop until it returns: log what it raises, and run it again."""
    failures = 0
    while True:
        try:
            return await work()
        except asyncio.CancelledError:
            raise
        except Exception as bug:  # noqa: BLE001 (a bug in one loop must not end the others)
            failures += 1
            REPEATS.exception("loop.failed", bug, loop=name)
        await asyncio.sleep(units.backoff(failures, 0.5, 30.0))
