"""How long a stop waits for a bucket that does not answer."""

import asyncio
import time
from collections.abc import Collection
from typing import Protocol

from walsup import units
from walsup.archive.faults import Fault
from walsup.archive.paths import OWNER_KEY
from walsup.archive.storage.bucket import Object
from walsup.archive.storage.fault_mapping import classify, is_absent
from walsup.archive.storage.s3.failures import RefusedError

_EVERY_S = 0.5
# One hanging request does not mean that the bucket does not answer.
_LONGEST_ASK_S = 5.0
_SHARE = 4


class BucketPart(Protocol):
    """The part of a bucket that is used."""

    async def get(self, key: str) -> Object: ...  # noqa: D102 (as Bucket has it)


class Silence:
    """The time since the bucket last answered; each segment that it accepted is an answer."""

    def __init__(self, patience_s: float, began_s: float) -> None:
        self._patience_s = patience_s
        self._answered_s = began_s
        self._taken = 0

    def note(self, fault: Fault | None, taken: int, now_s: float) -> str:
        """Return the message for the operator when patience is over; "" before.

        `fault`: why there was no answer, None when there was one; `taken`: the segments so far.
        """
        if fault is None or taken > self._taken:
            self._answered_s = now_s
        self._taken = taken
        silent_s = now_s - self._answered_s
        if fault is None or silent_s < self._patience_s:
            return ""
        waited = units.show_duration(round(silent_s))
        return f"the bucket has not answered for {waited} ({fault.kind}: {fault.problem})"


async def until_silent(bucket: BucketPart, patience_s: float, swept: Collection[str]) -> str:
    """Ask until the bucket has not answered for so long; return the message for the operator.

    `swept`: the segments that the bucket has accepted meanwhile.
    """
    silence = Silence(patience_s, time.monotonic())
    while True:
        fault = await ask(bucket, max(0.1, min(_LONGEST_ASK_S, patience_s / _SHARE)))
        if said := silence.note(fault, len(swept), time.monotonic()):
            return said
        await asyncio.sleep(_EVERY_S)


async def ask(bucket: BucketPart, timeout_s: float) -> Fault | None:
    """Ask for a small object; return why there was no answer."""
    try:
        async with asyncio.timeout(timeout_s):
            await bucket.get(OWNER_KEY)
    except FileNotFoundError as raised:
        return None if is_absent(raised) else classify(raised)
    except RefusedError as raised:
        # A server that throttles, or whose keys are being changed, answers. A load balancer
        # without a server answers too, but without one of S3's error codes.
        return None if raised.code else classify(raised)
    except Exception as raised:  # noqa: BLE001 (whatever the client raises is a fault)
        return classify(raised)
    return None
