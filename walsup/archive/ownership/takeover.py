"""Claims the archive before this instance takes writes: at a start, and for a promotion.

The owner object decides between instances, so it is written before postgres may write: the second
instance finds another owner there.
"""

import contextlib
import os
from dataclasses import replace

from walsup.archive.catalog import commit_times, listing, owner_object
from walsup.archive.engine import adapter
from walsup.archive.engine.adapter import Engine
from walsup.archive.faults import Fault, FaultError, FaultKind
from walsup.archive.owner_record import Owner
from walsup.archive.ownership import admission, conditional_writes
from walsup.archive.ownership.admission import Rejected, TryAgain
from walsup.archive.ownership.claim import OwnerWatch, claim
from walsup.archive.ownership.claimant import Claimant
from walsup.archive.ownership.conditional_writes import Conditional
from walsup.archive.ownership.divergence import Divergence
from walsup.archive.ownership.identity import Evidence
from walsup.archive.ownership.lease import Clock, Lease, now_s, removed, write
from walsup.archive.storage.bucket import Bucket
from walsup.datadir import markers, restore_state
from walsup.postgres import pg_control
from walsup.postgres.wal import Switch
from walsup.postgres.wal_files import timeline_history
from walsup.settings import Settings

_FASTER = Fault(
    FaultKind.OVERWRITE_CONFLICT, "another instance claimed the archive first; looking again"
)


def claimant(known: Settings, boot: str, engine_name: str = "") -> Claimant:
    """Return this data directory as a claimant.

    A promotion is in pg_control only after a checkpoint, but in pg_wal at once.

    Raises:
        WalsupError, OSError: its files cannot be read.
    """
    pgdata, archive = known.pgdata, str(known.archive)
    recovering = recovering_claimant(known, boot, engine_name or _engine_name(known))
    timeline = recovering.control.timeline
    left: tuple[Switch, ...] = ()
    with contextlib.suppress(FileNotFoundError):
        left = timeline_history.left(pgdata, max(timeline, timeline_history.newest(pgdata)))
    return replace(
        recovering,
        left=left,
        owned=markers.owned(pgdata, archive),
        adoption=markers.adoption(pgdata, archive),
        restored_to=restore_state.done_to(pgdata, archive),
    )


def recovering_claimant(known: Settings, boot: str, engine_name: str) -> Claimant:
    """Return a data directory that is being restored as one that asks for its archive.

    Its history is not complete before recovery ends, and it has owned nothing yet.

    Raises:
        WalsupError, OSError: its files cannot be read.
    """
    pgdata = known.pgdata
    return Claimant(
        control=pg_control.read(pgdata),
        instance=markers.instance(pgdata),
        boot=boot,
        place=markers.place(pgdata),
        compression=known.compression or adapter.DEFAULT_COMPRESSION[engine_name],
        lease_s=known.lease_s,
        known_epoch=markers.known_epoch(pgdata, str(known.archive)),
    )


async def before_start(
    bucket: Bucket, who: Claimant, watch: OwnerWatch, *, unsafe: bool
) -> Lease | TryAgain | Rejected | None:
    """Claim the archive for a primary that is about to be started.

    None: there is nothing to claim, because the archive never had an owner or is being wiped.
    Whether the disk continues the archive is compared later, before anything is pushed.

    Raises:
        what the bucket raises; ValueError: the owner object cannot be read.
    """
    owner = await commit_times.owner(bucket)
    if owner is None or owner.state == "wiping":
        return None
    return await claim(bucket, who, watch, _ChecksBeforeStart(bucket, unsafe=unsafe))


class _ChecksBeforeStart:
    """The checks of a claim before postgres runs: nothing is compared or pushed yet."""

    def __init__(self, bucket: Bucket, *, unsafe: bool) -> None:
        self._bucket = bucket
        self._unsafe = unsafe

    async def cluster_in_archive(self) -> Evidence:
        """Fail: the owner object existed a moment ago."""
        raise FaultError(removed())

    async def compare_with_disk(self, _wanted: Owner) -> Divergence:
        """Return that nothing prevents the claim."""
        return Divergence(None)

    async def conditional_bucket(self) -> Conditional | Fault:
        """Return the bucket if conditions hold there."""
        return await conditional_writes.trusted(self._bucket, unsafe=self._unsafe)


class Promotion:
    """The claim of a standby that is to be promoted.

    `look` reads the object at each call; `claim` replaces the version that was read last, and no
    other.
    """

    def __init__(self, bucket: Bucket, who: Claimant, clock: Clock = now_s) -> None:
        self._bucket = bucket
        self._who = who
        self._clock = clock
        self._watch = OwnerWatch(clock)
        self._read: tuple[Owner, str, float] | None = None

    async def look(self) -> admission.Take | TryAgain | Rejected | None:
        """Read the owner object and decide; None: the archive never had an owner.

        Raises:
            what the bucket raises; ValueError: the owner object cannot be read.
        """
        seen_s = self._clock()
        found = await owner_object.stored(self._bucket)
        if found is None:
            self._read = None
            return None
        owner = Owner.from_json(found.content)
        unchanged_s = self._watch.unchanged_s(found.content, seen_s)
        self._read = (owner, found.etag, unchanged_s)
        decided = self._decide(owner, unchanged_s, 0)
        if isinstance(decided, admission.Take):
            return decided
        living = self._watch.living(owner, self._who, unchanged_s)
        return decided._replace(living=living)

    @property
    def stopped(self) -> bool:
        """Return whether the version that was read last says that its holder stopped."""
        return self._read is not None and self._read[0].state == "stopped"

    @property
    def version(self) -> str:
        """Return the nonce of the version that was read last, "" when there is no object."""
        return self._read[0].nonce if self._read is not None else ""

    async def claim(self, *, unsafe: bool) -> Lease | TryAgain | Rejected | None:
        """Replace what `look` read last with the claim; it names a free timeline.

        Raises:
            what the bucket raises: then it is unknown whether it was written.
        """
        if self._read is None:
            return None
        owner, etag, unchanged_s = self._read
        number = await self._free_timeline(owner)
        decided = self._decide(owner, unchanged_s, number)
        if not isinstance(decided, admission.Take):
            return decided
        conditional = await conditional_writes.trusted(self._bucket, unsafe=unsafe)
        if isinstance(conditional, Fault):
            return Rejected(conditional, foreign=False)
        written = await write(conditional, decided.owner, etag, clock=self._clock)
        return TryAgain(_FASTER) if written is None else Lease(conditional, written, self._clock)

    def _decide(
        self, owner: Owner, unchanged_s: float, number: int
    ) -> admission.Take | TryAgain | Rejected:
        return admission.promotion(owner, self._who, unchanged_s=unchanged_s, new_timeline=number)

    async def _free_timeline(self, owner: Owner) -> int:
        """Return the first number after all that are used or claimed."""
        ours = (self._who.control.timeline, *(switch.timeline for switch in self._who.left))
        claimed = owner.next_timeline if owner.instance != self._who.instance else 0
        archived = await listing.timelines(self._bucket)
        return max((*archived, *ours, owner.timeline, claimed)) + 1


def _engine_name(known: Settings) -> str:
    found = adapter.choose(known, os.environ.get("PATH", ""))
    return found.name if isinstance(found, Engine) else "walrus"
