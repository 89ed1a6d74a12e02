"""Our hold on the owner object: every write of it after the claim goes through here (S2)."""

import asyncio
import time
from dataclasses import replace
from time import CLOCK_BOOTTIME, clock_gettime
from typing import NamedTuple

from walsup.archive.classify import is_absent, is_conflict
from walsup.archive.conditions import Conditional
from walsup.archive.fault import Fault
from walsup.archive.names import OWNER_KEY
from walsup.archive.owner import NOBODY, Owner
from walsup.archive.terms import HOLDER_LEASES
from walsup.postgres.continuity import Position


class LostError(Exception):
    """The archive is not ours any more; `fault` says whose it is."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.problem)
        self.fault = fault


def now_s() -> float:
    """Give the clock of leases: monotonic, and it goes on while a machine sleeps."""
    return clock_gettime(CLOCK_BOOTTIME)


async def write(bucket: Conditional, wanted: Owner, etag: str | None) -> str | None:
    """Create it (`etag` None) or replace it; gives its tag, None when it is somebody else's now.

    A write that has failed may have succeeded: it is read back, and its own nonce tells.

    Raises:
        what the bucket raises, when it is not known what happened.
    """
    content = wanted.to_json()
    try:
        if etag is None:
            return await bucket.create(OWNER_KEY, content)
        return await bucket.replace(OWNER_KEY, content, etag)
    except Exception as raised:
        lost = is_conflict(raised) or is_absent(raised)
        try:
            found = await bucket.get(OWNER_KEY)
        except FileNotFoundError as absent:
            if lost and is_absent(absent):
                return None
            raise raised from None
        if Owner.from_json(found.content).nonce == wanted.nonce:
            return found.etag
        if lost:
            return None
        raise


class Proven(NamedTuple):
    """What the holder has proven by now, and since when base backups count.

    `complete_until`: Unix seconds, as Owner has it; 0: nothing new is known. `position`: the last
    checkpoint, None when nothing new is known. `verdict`: of the stop that ends this run.
    """

    timeline: int
    lsn: int
    backups_from: int
    complete_until: float = 0.0
    position: Position | None = None
    verdict: str = ""


class Lease:
    """What we hold until `until_s`, by the clock of `now_s`."""

    def __init__(self, bucket: Conditional, owner: Owner, etag: str, began_s: float) -> None:
        """`began_s`: when the write that made it ours was begun."""
        self.owner = owner
        self._bucket = bucket
        self._etag = etag
        self._began_s = began_s
        self._tried: set[str] = set()
        self._writing = asyncio.Lock()

    @property
    def until_s(self) -> float:
        """When we must have stopped to write, unless it is renewed before."""
        return self._began_s + HOLDER_LEASES * self.owner.lease_s

    @property
    def is_held(self) -> bool:
        """Whether nobody else can have written yet."""
        return not self._given_up and now_s() < self.until_s

    async def renew(self, proven: Proven) -> None:
        """Write it again, with what is proven by now.

        Raises:
            LostError: it is somebody else's, or has gone.
            what the bucket raises; ValueError: another walsup has written something odd.
        """
        await self._write(self._with(proven))

    async def release(self, proven: Proven) -> None:
        """Mark it stopped; the next start need not wait.

        Raises:
            as `renew` does.
        """
        await self._write(replace(self._with(proven), state="stopped"))

    async def leave(self) -> None:
        """Keep its state, and tell that nobody holds it now: who comes next need not wait.

        Raises:
            as `renew` does.
        """
        await self._write(replace(self.owner, boot=NOBODY))

    @property
    def _given_up(self) -> bool:
        return self.owner.state == "stopped" or self.owner.boot == NOBODY

    def _with(self, proven: Proven) -> Owner:
        # Both at once: a position behind a hole without its demand for a backup would hide it.
        owner = self.owner
        wanted = replace(
            owner,
            timeline=proven.timeline,
            lsn=proven.lsn,
            backups_from=max(owner.backups_from, proven.backups_from),
            complete_until=max(owner.complete_until, proven.complete_until),
            position=proven.position or owner.position,
        )
        if not proven.verdict:
            return wanted
        return replace(
            wanted, verdict=proven.verdict, verdict_at=time.time(), verdict_boot=owner.boot
        )

    async def _write(self, wanted: Owner) -> None:
        async with self._writing:
            if self._given_up:
                return  # what it says now stands
            signed, began_s = wanted.signed(), now_s()
            self._tried.add(signed.nonce)
            etag = await write(self._bucket, signed, self._etag)
            if etag is None:
                before = await self._caught_up()
                began_s = now_s()
                etag = await write(self._bucket, signed, before)
            if etag is None:
                raise LostError(_taken(None))
            self.owner, self._etag, self._began_s = signed, etag, began_s
            self._tried.clear()

    async def _caught_up(self) -> str:
        """Give the tag of an earlier write of ours that was given up, and has succeeded late."""
        try:
            found = await self._bucket.get(OWNER_KEY)
        except FileNotFoundError as raised:
            if not is_absent(raised):
                raise
            raise LostError(removed()) from None
        owner = Owner.from_json(found.content)
        if owner.boot != self.owner.boot or owner.nonce not in (self.owner.nonce, *self._tried):
            raise LostError(_taken(owner))
        return found.etag


def removed() -> Fault:
    """The fault of an owner object that we have owned."""
    return Fault(kind="owner removed", problem=f"{OWNER_KEY} was there, and has gone")


def _taken(owner: Owner | None) -> Fault:
    by = (
        f": instance {owner.instance}, epoch {owner.epoch}, of the cluster with system identifier"
        f" {owner.system_id}"
        if owner
        else ""
    )
    return Fault(
        kind="not the owner",
        problem=f"another start has taken the archive{by}",
        remedy="stop one of the two databases, or give one a prefix of its own",
    )
