"""How long a stop waits for a bucket that does not answer."""

import asyncio
import time

from walsup import units
from walsup.archive.bucket import Bucket
from walsup.archive.classify import classify, is_absent
from walsup.archive.fault import Fault
from walsup.archive.names import OWNER_KEY

_EVERY_S = 0.5
# One request that hangs is not a bucket that does not answer.
_LONGEST_ASK_S = 5.0
_SHARE = 4


async def until_silent(bucket: Bucket, patience_s: float) -> str:
    """Ask until nothing was answered for so long; returns what happened, for an operator."""
    answered_s = time.monotonic()
    while True:
        fault = await _ask(bucket, max(0.1, min(_LONGEST_ASK_S, patience_s / _SHARE)))
        now_s = time.monotonic()
        if fault is None:
            answered_s = now_s
        elif now_s - answered_s >= patience_s:
            waited = units.show_duration(round(now_s - answered_s))
            return f"the bucket has not answered for {waited} ({fault.kind}: {fault.problem})"
        await asyncio.sleep(_EVERY_S)


async def _ask(bucket: Bucket, timeout_s: float) -> Fault | None:
    """Ask for a small object; returns why there was no answer."""
    try:
        async with asyncio.timeout(timeout_s):
            await bucket.get(OWNER_KEY)
    except FileNotFoundError as raised:
        return None if is_absent(raised) else classify(raised)
    except Exception as raised:  # noqa: BLE001 (whatever the client raises is a fault)
        return classify(raised)
    return None
