"""Claims the database's own archive during a restore: recovery does not end without the claim.

An old instance that still runs archives until its lease expires; that WAL is on this restore's
line, and is fetched. The owner object has the number of the new timeline before postgres uses it.
"""

import asyncio

from walsup import log
from walsup.agent.context import AgentContext
from walsup.agent.subject import Subject
from walsup.archive.catalog import commit_times, listing, owner_line, owner_object
from walsup.archive.catalog.timelines import TimelineHistory, reach
from walsup.archive.engine import adapter
from walsup.archive.faults import Fault, FaultKind
from walsup.archive.owner_record import Owner
from walsup.archive.ownership import conditional_writes
from walsup.archive.ownership.admission import Rejected, Take, TryAgain, reclaim
from walsup.archive.ownership.claim import OwnerWatch
from walsup.archive.ownership.claimant import Claimant
from walsup.archive.ownership.lease import Lease, LostError, Proven, now_s, write
from walsup.archive.ownership.takeover import recovering_claimant
from walsup.archive.storage.bucket import Bucket
from walsup.archive.storage.fault_mapping import classify
from walsup.datadir.restore_state import Restored
from walsup.postgres.wal import Segment, Switch

_RETRY_S = 1.0
_ABSENT = b"absent"  # no content of an object


class TimelineClaim:
    """The claim of a restore of the own archive; `new_timeline` is 0 until it is held."""

    def __init__(self, context: AgentContext, found: Restored, line: TimelineHistory) -> None:
        self._context = context
        self._found = found
        self._line = line
        self._lease: Lease | None = None
        self.held = asyncio.Event()

    @property
    def new_timeline(self) -> int:
        """The claimed number, as long as the lease lasts."""
        lease = self._lease
        return lease.owner.next_timeline if lease is not None and lease.is_held else 0

    async def run(self) -> None:
        """Claim it and renew the lease, until cancelled."""
        watch = OwnerWatch()
        while True:
            fault = await self._once(watch)
            if fault is not None:
                self._context.board.fault(Subject.OWNER, fault)
                await asyncio.sleep(_RETRY_S)
                continue
            self._context.board.clear(Subject.OWNER)
            self.held.set()
            await self._renew()
            self.held.clear()

    async def _once(self, watch: OwnerWatch) -> Fault | None:
        bucket = self._context.session.bucket
        if bucket is None:
            return Fault(FaultKind.NO_BUCKET, "no archive is configured")
        try:
            decided, etag, before = await self._decide(bucket, watch)
            if isinstance(decided, (TryAgain, Rejected)):
                return decided.fault
            unsafe = self._context.settings.unsafe_owner
            conditional = await conditional_writes.trusted(bucket, unsafe=unsafe)
            if isinstance(conditional, Fault):
                return conditional
            line = self._line
            left = [
                Switch(timeline=leg.timeline, switch_lsn=leg.end_lsn or 0, reason="")
                for leg in line.legs[:-1]
            ]
            claimed = owner_line.claimed(decided.owner, before, line.timeline, left)
            written = await write(conditional, claimed, etag)
        except Exception as raised:  # noqa: BLE001 (asked again until it answers)
            return classify(raised)
        if written is None:
            return Fault(
                FaultKind.OVERWRITE_CONFLICT,
                "another start claimed the archive first; looking again",
            )
        self._lease = Lease(conditional, written)
        owner = written.owner
        log.info("timeline.claimed", timeline=owner.next_timeline, epoch=owner.epoch)
        return None

    async def _decide(
        self, bucket: Bucket, watch: OwnerWatch
    ) -> tuple[Take | TryAgain | Rejected, str | None, Owner | None]:
        seen_s = now_s()
        stored = await owner_object.stored(bucket)
        owner = commit_times.read(stored) if stored else None
        unchanged_s = watch.unchanged_s(stored.content if stored else _ABSENT, seen_s)
        claimant = self._claimant()
        decided = reclaim(
            owner,
            claimant,
            unchanged_s=unchanged_s,
            mark=await self._mark(bucket),
            new_timeline=await free_timeline(bucket, self._line, owner, claimant.instance),
        )
        return decided, stored.etag if stored else None, owner

    async def _mark(self, bucket: Bucket) -> Segment:
        """Return the last contiguous segment now."""
        restored = self._found
        last = Segment.parse(restored.last, restored.segment_size)
        names = [name async for name in listing.from_name(bucket, last.name)]
        end = reach(self._line, last, names, accept_hole=restored.accept_hole).end
        return end or last

    def _claimant(self) -> Claimant:
        known = self._context.settings
        engine = self._context.session.engine
        name = engine.name if isinstance(engine, adapter.Engine) else "walrus"
        return recovering_claimant(known, self._context.boot, name)

    async def _renew(self) -> None:
        """Renew until the lease is lost or over."""
        while (lease := self._lease) is not None and lease.is_held:
            owner = lease.owner
            await asyncio.sleep(min(owner.lease_s, max(0.0, lease.until_s - now_s())))
            try:
                async with asyncio.timeout(owner.lease_s):
                    await lease.renew(Proven(owner.timeline, owner.lsn, owner.backups_from))
            except LostError as lost:
                self._context.board.fault(Subject.OWNER, lost.fault)
                self._lease = None
            except Exception as raised:  # noqa: BLE001 (tried again until the lease is over)
                self._context.board.fault(Subject.OWNER, classify(raised))
                await asyncio.sleep(_RETRY_S)
            else:
                self._context.board.clear(Subject.OWNER)


async def free_timeline(
    bucket: Bucket, line: TimelineHistory, owner: Owner | None, instance: str = ""
) -> int:
    """Return the first number after the line's that has no objects and is not claimed.

    Not the one after the highest that exists: a foreign object may have any number.

    Raises:
        what the bucket raises.
    """
    claimed = owner.next_timeline if owner and owner.instance != instance else 0
    used, number = set(await listing.timelines(bucket)), max(line.timeline, claimed) + 1
    while number in used:
        number += 1
    return number


async def free_timeline_of(bucket: Bucket, line: TimelineHistory) -> int:
    """Return the free number in the archive of another database, which is not claimed."""
    return await free_timeline(bucket, line, await commit_times.owner(bucket))
