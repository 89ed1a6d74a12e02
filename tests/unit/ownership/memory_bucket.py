"""The bucket in memory as walsup asks for it, without a network in between."""

from collections.abc import AsyncIterator

from tests.unit.ownership.net import Store
from walsup.archive.storage.bucket import Listed, ListingPage, Object


class MemoryBucket:
    """Every answer comes at once; tests/real/test_bucket_contract.py holds it against real ones."""

    region = None

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, key: str) -> Object:
        """Read an object."""
        return self._store.get(key)

    async def create(self, key: str, content: bytes) -> str:
        """Write an object that must not exist."""
        return self._store.put(key, content, None)

    async def replace(self, key: str, content: bytes, etag: str) -> str:
        """Write over the version with this tag."""
        return self._store.put(key, content, etag)

    async def keys(self, under: str, after: str = "") -> AsyncIterator[str]:
        """List what lies directly in a folder."""
        for name in self._store.names(under, after):
            yield name

    async def pages(self, under: str, after: str = "") -> AsyncIterator[ListingPage]:
        """List the same as one page."""
        objects = self._store.objects
        names = self._store.names(under, after)
        yield ListingPage(tuple(Listed(name, len(objects[name]), 0.0) for name in names))
