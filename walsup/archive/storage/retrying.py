"""A bucket that is asked again until it answers, each request separately.

A restore waits without limit for an archive that does not answer; if it began again at each fault,
it would never end where every second request fails.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from walsup.archive.faults import Fault
from walsup.archive.storage.bucket import ListingPage, Object, PagedListing, Readable
from walsup.archive.storage.fault_mapping import classify, is_absent

T = TypeVar("T")
# Called with the fault and the number of failures in a row; returns when to try again.
OnFault = Callable[[Fault, int], Awaitable[None]]


class Patient(PagedListing):
    """The reading methods of a bucket; an absent object stays absent."""

    def __init__(self, bucket: Readable, on_fault: OnFault) -> None:
        self._bucket = bucket
        self._on_fault = on_fault

    @property
    def region(self) -> str | None:
        """Return where the bucket is."""
        return self._bucket.region

    async def get(self, key: str) -> Object:
        """Read a complete small object.

        Raises:
            FileNotFoundError: it is absent.
        """
        return await self._answer(lambda: self._bucket.get(key))

    async def piece(self, key: str, begin: int, size_bytes: int) -> bytes:
        """Read a part of an object; one that begins at or after its end is empty.

        Raises:
            FileNotFoundError: it is absent.
        """
        return await self._answer(lambda: self._bucket.piece(key, begin, size_bytes))

    async def _answer(self, ask: Callable[[], Awaitable[T]]) -> T:
        failures = 0
        while True:
            try:
                return await ask()
            except Exception as raised:  # (any failure except absence)
                if is_absent(raised):
                    raise
                failures += 1
                await self._on_fault(classify(raised), failures)

    async def pages(self, under: str, after: str = "") -> AsyncIterator[ListingPage]:
        """Yield a folder's listing after a key; after a fault it continues there."""
        failures = 0
        while True:
            try:
                async for page in self._bucket.pages(under, after):
                    yield page
                    after = page.objects[-1].key if page.objects else after
                    failures = 0
            except Exception as raised:  # noqa: BLE001 (as above)
                failures += 1
                await self._on_fault(classify(raised), failures)
            else:
                return
