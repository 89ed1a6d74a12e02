"""Waiting for the first of several events."""

import asyncio


async def any_set(*events: asyncio.Event, timeout_s: float | None = None) -> bool:
    """Return when one of them is set (True), or when the time is over (False)."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        done, _ = await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        return bool(done)
    finally:
        for wait in waits:
            wait.cancel()
