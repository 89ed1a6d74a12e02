"""Takes over an archive for the wipe: no database may be active on it or claim it.

Rule wipe.
"""

import asyncio
import math
import os
from dataclasses import replace

from walsup.archive.catalog import owner_object
from walsup.archive.lease_terms import HOLDER_LEASES, RIVAL_LEASES
from walsup.archive.owner_record import NOBODY, Owner
from walsup.archive.ownership import conditional_writes
from walsup.archive.ownership.claim import OwnerWatch
from walsup.archive.ownership.conditional_writes import Conditional
from walsup.archive.ownership.lease import Lease, Proven, now_s, write
from walsup.archive.storage.bucket import Bucket, Object
from walsup.archive.wipe.retry import Say, refusal
from walsup.errors import ArchiveError

_STATE = "wiping"
_RENEWED_AFTER_LEASES = 0.5
_SAID_EVERY_S = 5.0
_MOST_LOST = 10
_STOP_IT = "stop the database that archives there (a clean stop releases the archive at once)"


async def read_owner(bucket: Conditional) -> tuple[Owner, Object] | None:
    """Return the owner, and the object; None when there is none.

    Raises:
        ArchiveError: it cannot be parsed; otherwise what the bucket raises.
    """
    found = await owner_object.stored(bucket)
    if found is None:
        return None
    try:
        return Owner.from_json(found.content), found
    except ValueError as raised:
        raise ArchiveError(
            str(raised),
            hint="inspect it: a newer walsup may have written it. Remove it if no database uses it",
        ) from raised


def is_free(owner: Owner) -> bool:
    """Return whether it says that no start holds it."""
    return owner.state == "stopped" or is_left(owner)


def is_left(owner: Owner) -> bool:
    """Return whether a wipe ended before it was complete."""
    return owner.state == _STATE and owner.boot == NOBODY


async def conditional(bucket: Bucket, *, unsafe_owner: bool) -> Conditional:
    """Return the bucket if its conditions hold.

    Raises:
        ArchiveError: they do not, and no setting allows that.
    """
    if await conditional_writes.honoured(bucket):
        return bucket
    if unsafe_owner and isinstance(bucket, conditional_writes.Unconditional):
        return conditional_writes.WrittenAndReadBack(bucket)
    raise refusal(conditional_writes.unmet())


async def take(bucket: Conditional, lease_s: float, say: Say) -> Lease:
    """Write `wiping` into the owner object; wait for a holder that has died.

    Raises:
        ArchiveError: a database is active there; otherwise what the bucket raises.
    """
    boot, watch = os.urandom(16).hex(), OwnerWatch()
    first, said_s, lost = b"", -math.inf, 0
    while lost < _MOST_LOST:
        seen_s = now_s()
        found = await read_owner(bucket)
        etag = None
        wanted = _of_nobodys(boot, lease_s)
        if found is not None:
            owner, seen = found
            etag = seen.etag
            unchanged_s = watch.unchanged_s(seen.content, seen_s)
            patience_s = RIVAL_LEASES * max(owner.lease_s, lease_s)
            first = first or seen.content
            if not is_free(owner) and unchanged_s < patience_s:
                if first != seen.content:
                    raise ArchiveError(_whose(owner), hint=_STOP_IT)
                if now_s() - said_s >= _SAID_EVERY_S:
                    said_s = now_s()
                    say(
                        f"waiting: the owner object says {owner.state}; its lease counts as"
                        f" expired after {patience_s:g} s without a renewal, of which"
                        f" {unchanged_s:.0f} s have passed"
                    )
                await asyncio.sleep(min(1.0, lease_s / 4))
                continue
            wanted = replace(
                owner, state=_STATE, boot=boot, place="", epoch=owner.epoch + 1, lease_s=lease_s
            )
        if (written := await write(bucket, wanted, etag)) is not None:
            return Lease(bucket, written)
        lost += 1  # another writer was faster; its object names it
        await asyncio.sleep(0.2 * lost)
    raise ArchiveError(
        "the owner object changes repeatedly, although no start holds it",
        hint="find out which program writes it, and run this again",
    )


async def let_a_former_holder_find_out(lease: Lease, say: Say) -> None:
    """Wait as long as a former holder may write that has not noticed the change yet.

    The owner object was missing where a walsup has been: it may have been removed a moment ago.
    """
    until_s = now_s() + RIVAL_LEASES * lease.owner.lease_s
    say(
        f"waiting {RIVAL_LEASES * lease.owner.lease_s:g} s: the owner object was missing, and a"
        " holder would only notice it now"
    )
    while now_s() < until_s:
        await keep(lease)
        await asyncio.sleep(min(1.0, lease.owner.lease_s / 4))


async def keep(lease: Lease, *, now: bool = False) -> None:
    """Renew a lease that is half over; after this a request may take 1.6 leases.

    Raises:
        LostError: another instance owns it; otherwise what the bucket raises.
    """
    owner = lease.owner
    began_s = lease.until_s - HOLDER_LEASES * owner.lease_s
    if now or now_s() - began_s > _RENEWED_AFTER_LEASES * owner.lease_s:
        await lease.renew(Proven(owner.timeline, owner.lsn, owner.backups_from))


def _of_nobodys(boot: str, lease_s: float) -> Owner:
    """Return the object for an archive that has none: no walsup may claim it meanwhile."""
    return Owner(
        system_id=0,
        instance="",
        boot=boot,
        epoch=1,
        timeline=1,
        lsn=0,
        state=_STATE,
        compression="",
        lease_s=lease_s,
    )


def _whose(owner: Owner) -> str:
    if owner.state == _STATE:
        return "another wipe of this archive is running: it has just renewed the owner object"
    return (
        f"instance {owner.instance} is alive on it: it has just renewed the owner object (epoch"
        f" {owner.epoch}, cluster {owner.system_id})"
    )
