"""Pushes of the previous owner that may still run when another copy takes the archive over.

A PUT has no condition. A delayed one would replace the new owner's object of the same name; only a
copy that was adopted on the same timeline writes such names.
"""

import asyncio
from collections.abc import Awaitable, Callable

from walsup import log
from walsup.archive.lease_terms import longest_push_s
from walsup.archive.ownership.lease import Lease, Proven

Sleep = Callable[[float], Awaitable[None]]


async def until_landed(lease: Lease, *, sleep: Sleep = asyncio.sleep) -> None:
    """Wait as long as a push may take, then renew the lease, before this instance pushes.

    Raises:
        as `Lease.renew` does.
    """
    owner = lease.owner
    pause_s = longest_push_s(owner.lease_s)
    log.info("archive.adopted", waits_s=pause_s, why="a push of the previous owner may be running")
    await sleep(pause_s)
    await lease.renew(Proven(owner.timeline, owner.lsn, owner.backups_from))
