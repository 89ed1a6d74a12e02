"""The deletion: passes over everything but the owner object, until a pass finds nothing."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import TypeVar

from walsup import units
from walsup.archive.faults import PASSING, Fault, FaultError, FaultKind
from walsup.archive.lease_terms import longest_push_s
from walsup.archive.ownership.lease import Lease
from walsup.archive.s3_error_codes import kind_of
from walsup.archive.wipe.contents import NotDeleted, archive_below, odd
from walsup.archive.wipe.exclusive_hold import keep
from walsup.archive.wipe.retry import TRIES, Say, once, patiently, pause_s, refusal
from walsup.archive.wipe.target import AGAIN, Entry, Lock, Refused, Upload, WipeTarget
from walsup.errors import ArchiveError

T = TypeVar("T")

# A server that skips entries while they are deleted needs many passes, each of them large.
_SMALL = 1000
_MOST_SMALL_PASSES = 6
_AT_A_TIME = 8
_SAID_EVERY_S = 5.0
_UNANSWERED = (FaultKind.TIMEOUT, FaultKind.REFUSED)
_GONE = ("NoSuchKey", "NoSuchVersion")


class Deletion:
    """Deletes what is in a place while a lease is held; without one, only old versions."""

    def __init__(self, place: WipeTarget, lease: Lease | None, say: Say) -> None:
        """`lease` None: only old versions may be deleted, by their own names; see `finish`."""
        self.deleted = self.deleted_bytes = self.aborted = 0
        self.stays: dict[tuple[str, str], NotDeleted] = {}
        self.in_doubt = False  # a request was not answered: the server may still execute it
        self._place = place
        self._lease = lease
        self._say = say
        self._said_s = time.monotonic()
        self._last = ""

    async def clear(self) -> None:
        """Delete everything but the owner object; locked objects stay.

        Raises:
            ArchiveError: a permission is missing, no server answers, or a program writes there.
            LostError: another instance owns the archive now.
        """
        small = 0
        while small < _MOST_SMALL_PASSES:
            removed = await self._pass(self._place.entries) + await self._abort_all()
            # A plain listing: it shows what a server hides in its listing of versions.
            removed += await self._pass(self._place.names)
            if not removed:
                return
            small += removed < _SMALL
        raise ArchiveError(
            f"objects keep appearing there during the deletion, such as {self._last}",
            hint="find out which program writes there, or inspect that key; then run this again",
        )

    async def finish(self, keys: Sequence[str]) -> None:
        """Delete these in this order, the newest version of each last; raises as `clear` does."""
        if (lease := self._lease) is not None:
            if self.in_doubt:
                await asyncio.sleep(longest_push_s(lease.owner.lease_s))
            await patiently(lambda: keep(lease, now=True), self._say)
        for key in keys:
            found = [
                one
                async for page in pages(lambda key=key: self._place.entries(key))  # type: ignore[misc]
                for one in page
                if one.key == key
            ]
            for batch in ([o for o in found if not o.latest], [o for o in found if o.latest]):
                await self._delete(batch, renew=False)
                if self.stays:
                    return  # the remaining objects must say that this is a wipe
        await patiently(lambda: asyncio.to_thread(self._place.tidy), self._say)

    async def _pass(self, listing: Callable[[], Iterator[list[Entry]]]) -> int:
        removed, locked = 0, {key for key, _ in self.stays}
        async for page in pages(listing):
            batch = [one for one in page if not self._is_kept(one, locked)]
            for one in batch:
                if odd(one.key) or archive_below(one.key):
                    raise ArchiveError(
                        f"{one.key} has appeared, which belongs to another archive",
                        hint="find out which program writes there, and run this again",
                    )
            removed += await self._delete(batch)
        return removed

    def _is_kept(self, one: Entry, locked: set[str]) -> bool:
        if one.key in self._place.kept:
            return one.latest
        return one.key in locked if not one.version else (one.key, one.version) in self.stays

    async def _delete(self, batch: Sequence[Entry], *, renew: bool = True) -> int:
        """Delete a page of a listing; return how many were deleted."""
        failures, todo = 0, self._place.batches(batch)
        while todo:
            now = todo.pop(0)
            refused = await self._request(lambda now=now: self._place.delete(now), renew=renew)  # type: ignore[misc]
            await self._explain([one for one in refused if not _passes(one)])
            busy = [one for one in refused if kind_of(one.code, 0) in PASSING]
            if busy and (failures := failures + 1) >= TRIES:
                raise _denied(busy[0])
            if busy:
                await asyncio.sleep(pause_s(failures))
            again = [one.entry for one in refused if one in busy or one.code == AGAIN]
            todo += self._place.batches(again)
        gone = [one for one in batch if (one.key, one.version) not in self.stays]
        self.deleted += len(gone)
        self._last = gone[-1].key if gone else self._last
        self.deleted_bytes += sum(one.size_bytes for one in gone)
        if time.monotonic() - self._said_s >= _SAID_EVERY_S:
            self._said_s = time.monotonic()
            self._say(f"deleted: {self.deleted} ({units.show_bytes(self.deleted_bytes)})")
        return len(gone)

    async def _explain(self, refused: Sequence[Refused]) -> None:
        """Find out what is locked; if an object is not, a permission is missing.

        Raises:
            ArchiveError: for the first object that no lock explains.
        """
        for start in range(0, len(refused), _AT_A_TIME):
            some = refused[start : start + _AT_A_TIME]
            asked = (asyncio.to_thread(self._lock, one) for one in some)
            for one, lock in zip(some, await asyncio.gather(*asked), strict=True):
                if lock is None:
                    raise _denied(one)
                self.stays[one.entry.key, one.entry.version] = NotDeleted(one.entry, lock)

    def _lock(self, refused: Refused) -> Lock | None:
        try:
            return self._place.lock(refused.entry)
        except FaultError as raised:
            if raised.fault.kind != FaultKind.NO_RIGHTS:
                raise refusal(raised.fault) from raised
            raise ArchiveError(
                f"{_denied(refused).problem}; it may be locked, but that cannot be checked:"
                f" {raised.fault.problem}",
                hint=refusal(raised.fault).hint,
            ) from raised

    async def _abort_all(self) -> int:
        removed = 0
        async for page in pages(self._place.uploads):
            for upload in page:
                await self._abort(upload)
                removed += 1
        self.aborted += removed
        return removed

    async def _abort(self, upload: Upload) -> None:
        await self._request(lambda: self._place.abort(upload))

    async def _request(self, work: Callable[[], T], *, renew: bool = True) -> T:
        lease = self._lease

        async def in_time() -> T:
            if lease is not None and renew:
                await keep(lease)
            asked = asyncio.create_task(asyncio.to_thread(_timely, lease, work))
            try:
                return await asyncio.shield(asked)
            except asyncio.CancelledError:
                await asyncio.wait({asked})
                raise
            except FaultError as raised:
                self.in_doubt |= raised.fault.kind in _UNANSWERED
                raise

        return await patiently(in_time, self._say)


async def pages(listing: Callable[[], Iterator[list[T]]]) -> AsyncIterator[list[T]]:
    """Read a listing's pages in a thread.

    Raises:
        ArchiveError: it cannot be read to its end.
    """
    found = listing()
    while True:
        if (page := await once(lambda: next(found, None))) is None:
            return
        yield page


def _timely(lease: Lease | None, work: Callable[[], T]) -> T:
    if lease is not None and not lease.is_held:
        raise FaultError(
            Fault(FaultKind.TIMEOUT, "this machine was paused for longer than the lease")
        )
    return work()


def _passes(refused: Refused) -> bool:
    return refused.code in (*_GONE, AGAIN) or kind_of(refused.code, 0) in PASSING


def _denied(refused: Refused) -> ArchiveError:
    right = "s3:DeleteObjectVersion" if refused.entry.version else "s3:DeleteObject"
    kind = kind_of(refused.code, 0) or FaultKind.UNKNOWN
    fault = Fault(kind, f"{right} on {refused.entry.key}: {refused.code} {refused.message}".strip())
    return refusal(fault)
