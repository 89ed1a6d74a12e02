"""The lease on the owner object: every write of it after the claim goes through here.

Rule one-owner.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from time import CLOCK_BOOTTIME, clock_gettime
from typing import NamedTuple

from walsup.archive.faults import Fault, FaultKind
from walsup.archive.lease_terms import HOLDER_LEASES
from walsup.archive.owner_record import NOBODY, Owner, Tablespace
from walsup.archive.ownership.conditional_writes import Conditional
from walsup.archive.paths import OWNER_KEY
from walsup.archive.storage.bucket import Object
from walsup.archive.storage.fault_mapping import is_absent, is_conflict
from walsup.datadir.continuity import CheckpointPosition

_ATTEMPTS = 3


class LostError(Exception):
    """The archive is not this start's any more; `fault` says whose it is, `owner` what was read."""

    def __init__(self, fault: Fault, owner: Owner | None = None) -> None:
        super().__init__(fault.problem)
        self.fault = fault
        self.owner = owner


class Written(NamedTuple):
    """A write of the owner object that the server confirmed; `began_s`: when it was begun."""

    owner: Owner
    etag: str
    began_s: float


def now_s() -> float:
    """Return the clock of leases: monotonic, and it continues while a machine sleeps."""
    return clock_gettime(CLOCK_BOOTTIME)


Clock = Callable[[], float]


async def write(  # noqa: PLR0913 (each is one fact)
    bucket: Conditional,
    wanted: Owner,
    etag: str | None,
    *,
    tried: set[str] | None = None,
    known: Owner | None = None,
    clock: Clock = now_s,
) -> Written | None:
    """Create it (`etag` None) or replace it, with a new nonce; None: another start owns it.

    A write that was not answered may have succeeded, and may succeed at any later time. When a read
    shows one of this start's writes (`tried`: the nonces of earlier ones), that gives its tag and
    no lease: it is unknown when it was written. It is written again, until the server confirms a
    write. `known`: the version that is replaced; a server may show it under another tag.

    Raises:
        what the bucket raises, when it is not known what happened.
    """
    tried = set() if tried is None else tried
    boots = {wanted.boot, known.boot} if known else {wanted.boot}
    for _ in range(_ATTEMPTS):
        signed, began_s = wanted.signed(), clock()
        tried.add(signed.nonce)
        try:
            if etag is None:
                tag = await bucket.create(OWNER_KEY, signed.to_json())
            else:
                tag = await bucket.replace(OWNER_KEY, signed.to_json(), etag)
        except Exception as raised:
            found = await _there(bucket, raised)
            if found is None:
                return None
            owner = Owner.from_json(found.content)
            nonces = {*tried, known.nonce} if known and _is_lost(raised) else tried
            # An object that was edited by hand may still contain the nonce.
            ours = owner.instance == wanted.instance and owner.boot in boots
            if not (ours and owner.nonce and owner.nonce in nonces):
                if _is_lost(raised):
                    return None
                raise
            etag = found.etag
        else:
            return Written(signed, tag, began_s)
    raise TimeoutError(f"{_ATTEMPTS} writes of {OWNER_KEY} in a row were not answered")


def _is_lost(raised: Exception) -> bool:
    return is_conflict(raised) or is_absent(raised)


async def _there(bucket: Conditional, raised: Exception) -> Object | None:
    """Return the object after a write that failed; None: it has been removed.

    Raises:
        `raised`, when the object does not tell.
    """
    try:
        return await bucket.get(OWNER_KEY)
    except FileNotFoundError as absent:
        if _is_lost(raised) and is_absent(absent):
            return None
        raise raised from None


class Proven(NamedTuple):
    """What the holder has verified by now, and since when base backups count.

    `complete_until`: Unix seconds, as in Owner; 0: nothing new is known. `position`: the last
    checkpoint, None when nothing new is known. `verdict`: of the stop that ends this run, given at
    `verdict_at` (Unix seconds). `heirs`, `tablespaces`: as in Owner, None when they are unchanged.
    `limits`: those of this run.
    """

    timeline: int
    lsn: int
    backups_from: int
    complete_until: float = 0.0
    position: CheckpointPosition | None = None
    verdict: str = ""
    verdict_at: float = 0.0
    heirs: tuple[str, ...] | None = None
    tablespaces: tuple[Tablespace, ...] | None = None
    limits: tuple[tuple[str, int], ...] = ()


class Lease:
    """The lease, which is held until `until_s`, by the clock of `now_s`."""

    def __init__(self, bucket: Conditional, written: Written, clock: Clock = now_s) -> None:
        """`written`: the write that began the lease."""
        self._clock = clock
        self.owner = written.owner
        self._bucket = bucket
        self._etag = written.etag
        self._began_s = self._claimed_s = written.began_s
        self._tried: set[str] = set()
        self._writing = asyncio.Lock()
        self._may_be_given_up = False

    @property
    def began_s(self) -> float:
        """Return when the last confirmed write was sent."""
        return self._began_s

    @property
    def until_s(self) -> float:
        """Return when this start must have stopped writing, unless the lease is renewed before."""
        return self._began_s + HOLDER_LEASES * self.owner.lease_s

    @property
    def is_held(self) -> bool:
        """Return whether no other instance can have written yet."""
        return not self._may_be_given_up and self._clock() < self.until_s

    def continues(self, before: "Lease") -> bool:
        """Return whether the same start claimed this lease before `before` could end.

        Then no other instance can have owned the archive in between, and no new base backup is
        needed.
        """
        ours, theirs = self.owner, before.owner
        return (
            (ours.boot, ours.epoch, ours.backups_from)
            == (theirs.boot, theirs.epoch, theirs.backups_from)
            and not before._may_be_given_up  # noqa: SLF001 (its own class)
            and self._claimed_s < before.until_s
        )

    async def renew(self, proven: Proven) -> None:
        """Write the object again, with what is verified by now.

        Raises:
            LostError: another instance owns it, or it has been deleted.
            what the bucket raises; ValueError: another walsup has written something odd.
        """
        await self._write(self._with(proven))

    async def release(self, proven: Proven) -> None:
        """Mark it stopped; the next start need not wait.

        Whatever the result, it is not held from here on, until a later renewal is confirmed.

        Raises:
            as `renew` does.
        """
        await self._write(replace(self._with(proven), state="stopped"))

    async def leave(self) -> None:
        """Keep its state, and record that no start holds it: the next one need not wait.

        Raises:
            as `renew` does.
        """
        await self._write(replace(self.owner, boot=NOBODY))

    def _with(self, proven: Proven) -> Owner:
        # Both at once: a position after a gap, without its request for a backup, would hide the
        # gap.
        owner = self.owner
        wanted = replace(
            owner,
            timeline=proven.timeline,
            lsn=proven.lsn,
            backups_from=max(owner.backups_from, proven.backups_from),
            complete_until=max(owner.complete_until, proven.complete_until),
            position=proven.position or owner.position,
            heirs=owner.heirs if proven.heirs is None else proven.heirs,
            tablespaces=owner.tablespaces if proven.tablespaces is None else proven.tablespaces,
            limits=_highest(owner.limits, proven.limits),
        )
        if not proven.verdict:
            return wanted
        return replace(
            wanted,
            verdict=proven.verdict,
            verdict_at=proven.verdict_at,
            verdict_boot=owner.boot,
        )

    async def _write(self, wanted: Owner) -> None:
        async with self._writing:
            if _gives_up(self.owner):
                return  # the object's own value stays
            self._may_be_given_up = self._may_be_given_up or _gives_up(wanted)
            written = await write(
                self._bucket,
                wanted,
                self._etag,
                tried=self._tried,
                known=self.owner,
                clock=self._clock,
            )
            if written is None:
                raise await self._lost()
            self.owner, self._etag, self._began_s = written
            self._may_be_given_up = _gives_up(self.owner)
            self._tried.clear()

    async def _lost(self) -> LostError:
        """Return the error that says whose it is, as far as that can be read now."""
        try:
            found = await self._bucket.get(OWNER_KEY)
        except FileNotFoundError as raised:
            if not is_absent(raised):
                raise
            return LostError(removed())
        owner = Owner.from_json(found.content)
        if owner.boot == self.owner.boot:
            return LostError(_taken(None))
        return LostError(_taken(owner), owner)


def _highest(
    before: tuple[tuple[str, int], ...], now: tuple[tuple[str, int], ...]
) -> tuple[tuple[str, int], ...]:
    """Return the higher value of each: the WAL of all earlier runs may be replayed."""
    known = dict(before)
    return tuple(sorted((known | {n: max(v, known.get(n, v)) for n, v in now}).items()))


def _gives_up(owner: Owner) -> bool:
    return owner.state == "stopped" or owner.boot == NOBODY


def removed() -> Fault:
    """Return the fault of an owner object that this start owned and that was removed."""
    return Fault(kind=FaultKind.OWNER_REMOVED, problem=f"{OWNER_KEY} existed and has been deleted")


def _taken(owner: Owner | None) -> Fault:
    by = (
        f": instance {owner.instance}, epoch {owner.epoch}, of the cluster with system identifier"
        f" {owner.system_id}"
        if owner
        else ""
    )
    return Fault(
        kind=FaultKind.NOT_THE_OWNER,
        problem=f"another start has taken the archive{by}",
        remedy="stop one of the two databases, or give one its own prefix",
    )
