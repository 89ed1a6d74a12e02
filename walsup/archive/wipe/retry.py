"""Repeats an operation while its failure may pass, for about half a minute."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from walsup import units
from walsup.archive.faults import PASSING, Fault, FaultError, FaultKind
from walsup.archive.ownership.lease import LostError
from walsup.archive.storage.fault_mapping import classify
from walsup.archive.storage.s3.failures import RefusedError
from walsup.errors import ArchiveError, WalsupError

T = TypeVar("T")
Say = Callable[[str], None]

TRIES = 8
_LONGEST_PAUSE_S = 8.0


async def patiently(work: Callable[[], Awaitable[T]], say: Say) -> T:
    """Repeat it until it succeeds.

    Raises:
        ArchiveError: it does not succeed, whatever the reason.
    """
    failures = 0
    while True:
        try:
            return await work()
        except (WalsupError, LostError):
            raise
        except Exception as raised:
            fault = classify(raised)
            failures += 1
            if not _may_pass(raised, fault) or failures >= TRIES:
                raise refusal(fault) from raised
            say(f"{fault.kind}: {fault.problem}; trying again")
        await asyncio.sleep(pause_s(failures))


def _may_pass(raised: Exception, fault: Fault) -> bool:
    """Return whether another try may succeed: a server without support never will."""
    return fault.kind in PASSING and not (isinstance(raised, RefusedError) and raised.cannot)


def persistently(work: Callable[[], T]) -> T:
    """Repeat it until it succeeds; blocks, and reports nothing.

    Raises:
        what `work` raises, when that does not pass.
    """
    failures = 0
    while True:
        try:
            return work()
        except Exception as raised:
            failures += 1
            if not _may_pass(raised, classify(raised)) or failures >= TRIES:
                raise
        time.sleep(pause_s(failures))


async def once(work: Callable[[], T]) -> T:
    """Run it in a thread.

    Raises:
        ArchiveError: it fails.
    """
    try:
        return await asyncio.to_thread(work)
    except (FaultError, OSError) as raised:
        raise refusal(classify(raised)) from raised


def pause_s(failures: int) -> float:
    """Return the pause after so many failures in a row."""
    return units.backoff(failures, 0.5, _LONGEST_PAUSE_S)


def refusal(fault: Fault) -> ArchiveError:
    """Return a fault as an operator's error."""
    rights = (
        "grant the access key the permission named above; docs/permissions.md lists all that a"
        " wipe needs"
    )
    hint = rights if fault.kind == FaultKind.NO_RIGHTS and not fault.remedy else fault.cure
    return ArchiveError(f"{fault.kind}: {fault.problem}", hint=hint)
