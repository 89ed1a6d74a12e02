"""The owner object as the bucket has it."""

from typing import Protocol

from walsup.archive.paths import OWNER_KEY
from walsup.archive.storage.bucket import Object
from walsup.archive.storage.fault_mapping import is_absent


class _Gets(Protocol):
    """A bucket that can be read."""

    async def get(self, key: str) -> Object: ...


async def stored(bucket: _Gets) -> Object | None:
    """Return the object. None: an authorised server says that there is none.

    Raises:
        what the bucket raises; FileNotFoundError: there is no such bucket.
    """
    try:
        return await bucket.get(OWNER_KEY)
    except FileNotFoundError as raised:
        if not is_absent(raised):
            raise
        return None
