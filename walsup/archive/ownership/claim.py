"""Claims the archive for this start of the container, before archiving is enabled.

Rules one-owner and ownership.
"""

from dataclasses import replace
from typing import Protocol

from walsup.archive.catalog import commit_times, listing, owner_line, owner_object
from walsup.archive.faults import Fault, FaultKind
from walsup.archive.lease_terms import RIVAL_LEASES
from walsup.archive.owner_record import Owner
from walsup.archive.ownership import admission
from walsup.archive.ownership.admission import Rejected, Take, TryAgain
from walsup.archive.ownership.claimant import Claimant
from walsup.archive.ownership.conditional_writes import Conditional
from walsup.archive.ownership.divergence import Divergence
from walsup.archive.ownership.identity import Evidence
from walsup.archive.ownership.lease import Clock, Lease, now_s, removed, write
from walsup.archive.paths import CONDITIONS_KEY, OWNER_KEY
from walsup.archive.storage.bucket import Bucket
from walsup.archive.storage.fault_mapping import is_absent
from walsup.postgres.wal import Segment

_OWN_RACES = 3
_ABSENT = b"absent"  # differs from the content of any object


class OwnerWatch:
    """How long the owner object has been unchanged, by this machine's clock alone."""

    def __init__(self, clock: Clock = now_s) -> None:
        self.clock = clock
        self._content = b""
        self._since_s = 0.0
        self._changes = 0

    def unchanged_s(self, content: bytes, seen_s: float) -> float:
        """Note a read that began at `seen_s`; return the seconds since the first.

        Every write has a new nonce; a server's or a proxy's tags may be missing, or differ for the
        same content.
        """
        if content != self._content:
            self._changes += 1
            # The answer took a while: count from now on, not from the request.
            self._content, self._since_s = content, self.clock()
        return max(0.0, seen_s - self._since_s)

    def living(self, owner: Owner, claimant: Claimant, unchanged_s: float) -> Owner | None:
        """Return the owner, if it is another start that wrote the object while this one watched."""
        writes = self._changes > 1 and owner.state == "running" and owner.boot != claimant.boot
        lease_s = max(owner.lease_s, claimant.lease_s)
        return owner if writes and unchanged_s < RIVAL_LEASES * lease_s else None


class Checks(Protocol):
    """What a claim may have to find out, each with a request or more.

    All raise what the bucket raises.
    """

    async def cluster_in_archive(self) -> Evidence:
        """Return what the engine's objects say about their cluster, without an owner object."""
        ...

    async def compare_with_disk(self, wanted: Owner) -> Divergence:
        """Return whether this disk can continue what the archive has.

        Rules divergence and same-name-other-bytes.
        """
        ...

    async def conditional_bucket(self) -> Conditional | Fault:
        """Return the bucket if conditions hold there; called last, because it writes."""
        ...


async def claim(
    bucket: Bucket, claimant: Claimant, watch: OwnerWatch, checks: Checks
) -> Lease | TryAgain | Rejected:
    """Read the owner object, decide, compare disk and bucket, and write it with a condition.

    `walsup promote` renews the lease of this start until the agent holds it: if that was faster,
    the claim is made a second time.

    Raises:
        what the bucket raises; ValueError for an owner object that cannot be read.
    """
    answer: Lease | TryAgain | Rejected | None = None
    for _ in range(_OWN_RACES):
        answer = await _claim(bucket, claimant, watch, checks)
        if answer is not None or not await _is_own(bucket, claimant):
            break
    return answer or TryAgain(
        Fault(
            kind=FaultKind.OVERWRITE_CONFLICT,
            problem="another start claimed the archive first; looking again",
        )
    )


async def _is_own(bucket: Bucket, claimant: Claimant) -> bool:
    """Return whether this start wrote the owner object last."""
    try:
        return commit_times.read(await bucket.get(OWNER_KEY)).boot == claimant.boot
    except FileNotFoundError:
        return False


async def _claim(
    bucket: Bucket, claimant: Claimant, watch: OwnerWatch, checks: Checks
) -> Lease | TryAgain | Rejected | None:
    """Try once; None: the owner object was written meanwhile."""
    etag, before, decided = await _decide(bucket, claimant, watch, checks)
    if not isinstance(decided, Take):
        return decided
    wanted = decided.owner
    if claimant.restored_to:
        wanted = replace(wanted, restored_to=claimant.restored_to)
    compared = await checks.compare_with_disk(wanted)
    if compared.fault:
        return Rejected(compared.fault, foreign=False)
    if not compared.joined:
        # A restore from an earlier base backup may end at the seam: a later base backup does not.
        since_lsn = compared.since_lsn or claimant.redo_segment.start_lsn
        wanted = replace(
            wanted,
            backups_from=max(wanted.backups_from, since_lsn),
            backups_because=compared.because,
        )
    wanted = replace(
        wanted,
        position=claimant.position or wanted.position,
        position_boot=claimant.boot if claimant.position else wanted.position_boot,
        position_instance=claimant.instance if claimant.position else wanted.position_instance,
        encryption=claimant.encryption or wanted.encryption,
    )
    wanted = owner_line.claimed(wanted, before, claimant.control.timeline, claimant.left)
    if isinstance(conditional := await checks.conditional_bucket(), Fault):
        return Rejected(conditional, foreign=False)
    if (written := await write(conditional, wanted, etag, clock=watch.clock)) is None:
        return None
    return Lease(conditional, written, watch.clock)


async def _decide(
    bucket: Bucket, claimant: Claimant, watch: OwnerWatch, checks: Checks
) -> tuple[str | None, Owner | None, Take | TryAgain | Rejected]:
    """Read the owner object and judge; return its tag and the object too, None if there is none."""
    seen_s = watch.clock()
    found = await owner_object.stored(bucket)
    if found is None:
        absent_s = watch.unchanged_s(_ABSENT, seen_s)
        return None, None, await _without_owner(bucket, claimant, absent_s, checks)
    owner = commit_times.read(found)
    unchanged_s = watch.unchanged_s(found.content, seen_s)
    decided = admission.decide_claim(
        owner,
        claimant,
        unchanged_s=unchanged_s,
        empty=owner.system_id != claimant.control.system_id and await listing.is_empty(bucket),
        mark_lsn=await _mark_lsn(bucket, owner, claimant),
    )
    if isinstance(decided, Take):
        return found.etag, owner, decided
    return found.etag, owner, decided._replace(living=watch.living(owner, claimant, unchanged_s))


async def _without_owner(
    bucket: Bucket, claimant: Claimant, absent_s: float, checks: Checks
) -> Take | TryAgain | Rejected:
    """Decide about an archive of another program, an empty one, or one that lost its owner object.

    `absent_s`: for how long there has been no owner object, by this machine's clock.
    """
    adopted = claimant.adopts(None)
    if claimant.owned and not adopted:
        return Rejected(removed(), foreign=False)
    evidence = await checks.cluster_in_archive()
    if evidence.system_id not in (None, claimant.control.system_id):
        return Rejected(
            Fault(
                kind=FaultKind.NOT_THE_OWNER,
                problem=f"{evidence.seen_in} in the archive belongs to the cluster with system"
                f" identifier {evidence.system_id}, but this cluster has"
                f" {claimant.control.system_id}",
            )
        )
    patience_s = RIVAL_LEASES * claimant.lease_s
    if evidence.system_id and absent_s < patience_s and await _was_here(bucket):
        # It may have been removed a moment ago, under a holder that notices at its next renewal.
        return TryAgain(
            Fault(
                kind=FaultKind.OWNER_REMOVED,
                problem=f"{OWNER_KEY} existed and has been deleted; its holder's lease expires"
                f" after {patience_s:g} s, of which {absent_s:.0f} s have passed",
                remedy="find out what deletes objects there; the claim needs no action",
            )
        )
    first = claimant.begins(
        epoch=claimant.known_epoch + 1,  # others accept no lower epoch than they have seen
        compression=evidence.compression or claimant.compression,
        backups_from=claimant.redo_segment.start_lsn if adopted else 0,
    )
    backup = None if adopted else evidence.backup
    if backup is not None and backup.timeline == first.timeline:
        # The WAL from the base backup's start on must be verified: a gap there needs another.
        start = Segment.containing(backup.start_lsn, first.timeline, claimant.control.segment_size)
        first = replace(first, lsn=min(first.lsn, start.start_lsn))
    elif evidence.system_id is not None:
        first = replace(first, backups_from=first.lsn)
    return Take(first, "the archive had no owner")


async def _was_here(bucket: Bucket) -> bool:
    """Return whether any walsup ever tried to own this archive."""
    try:
        await bucket.get(CONDITIONS_KEY)
    except FileNotFoundError as raised:
        if not is_absent(raised):
            raise
        return False
    return True


async def _mark_lsn(bucket: Bucket, owner: Owner, claimant: Claimant) -> int:
    """Return the end of what is archived on the owner's timeline, if it matters."""
    control = claimant.control
    if owner.system_id != control.system_id or owner.instance == claimant.instance:
        return owner.lsn
    newest = await listing.newest_on(bucket, owner.timeline, owner.lsn, control.segment_size)
    return newest.end_lsn if newest else owner.lsn
