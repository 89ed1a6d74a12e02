"""Whether an S3 server honours conditional writes, and what happens with one that does not.

Rule one-owner.
"""

import asyncio
import os
from collections.abc import Awaitable
from typing import Protocol, runtime_checkable

from walsup import log
from walsup.archive.faults import Fault, FaultKind
from walsup.archive.paths import CONDITIONS_KEY
from walsup.archive.storage.bucket import Bucket, ConflictError, Object
from walsup.archive.storage.fault_mapping import classify, is_absent, is_conflict

_SETTLE_S = 2.0


class Conditional(Protocol):
    """What an owner object needs of a bucket."""

    async def get(self, key: str) -> Object: ...  # noqa: D102 (as Bucket has them)
    async def create(self, key: str, content: bytes) -> str: ...  # noqa: D102
    async def replace(self, key: str, content: bytes, etag: str) -> str: ...  # noqa: D102


async def honoured(bucket: Bucket) -> bool:
    """Return whether If-None-Match and If-Match both reject what they must, and allow the rest.

    The object stays: to remove it would need a permission that nothing else needs.

    Raises:
        what the bucket raises, when it does not answer.
    """
    try:
        await bucket.create(CONDITIONS_KEY, _content())
    except Exception as raised:
        if classify(raised).kind == unmet().kind:
            return False  # "not implemented", as some servers answer
        if not is_conflict(raised):
            raise
    if not await _refuses(bucket.create(CONDITIONS_KEY, _content())):
        return False
    if not await _refuses(bucket.replace(CONDITIONS_KEY, _content(), '"not-this-one"')):
        return False
    return await _allows_the_right_one(bucket)


async def _allows_the_right_one(bucket: Bucket) -> bool:
    while True:
        found = await bucket.get(CONDITIONS_KEY)
        try:
            await bucket.replace(CONDITIONS_KEY, _content(), found.etag)
        except Exception as raised:
            if not is_conflict(raised):
                raise
            if (await bucket.get(CONDITIONS_KEY)).content == found.content:
                return False
            # Another start checks at the same time, and wrote in between.
        else:
            return True


def unmet() -> Fault:
    """Return the fault of a server that does not honour them."""
    return Fault(
        kind=FaultKind.NO_CONDITIONAL_WRITES,
        problem="the S3 server ignores If-None-Match or If-Match: two databases could own one"
        " archive at the same time",
    )


@runtime_checkable
class Unconditional(Protocol):
    """A server that is written to without conditions: S3; a directory always has them."""

    async def get(self, key: str) -> Object: ...  # noqa: D102 (as Bucket has it)
    async def put(self, key: str, content: bytes) -> None: ...  # noqa: D102


class WrittenAndReadBack:
    """Conditions for a server without them: read, write, wait, read (WALSUP_UNSAFE_OWNER).

    Two instances that start within the same 2 s may both lose, and one that hangs between its read
    and its write may overwrite another: that is the risk.
    """

    def __init__(self, bucket: Unconditional, settle_s: float = _SETTLE_S) -> None:
        self._bucket = bucket
        self._settle_s = settle_s

    async def get(self, key: str) -> Object:
        """Read an object."""
        return await self._bucket.get(key)

    async def create(self, key: str, content: bytes) -> str:
        """Write an object that did not exist."""
        if await self._tag(key):
            raise ConflictError(f"{key} exists")
        return await self._write(key, content)

    async def replace(self, key: str, content: bytes, etag: str) -> str:
        """Replace the object."""
        if await self._tag(key) != etag:
            raise ConflictError(f"{key} has changed")
        return await self._write(key, content)

    async def _write(self, key: str, content: bytes) -> str:
        await self._bucket.put(key, content)
        await asyncio.sleep(self._settle_s)
        found = await self._bucket.get(key)
        if found.content != content:
            raise ConflictError(f"{key} was overwritten")
        return found.etag

    async def _tag(self, key: str) -> str:
        try:
            return (await self._bucket.get(key)).etag
        except FileNotFoundError as raised:
            if is_absent(raised):
                return ""
            raise


async def trusted(bucket: Bucket, *, unsafe: bool) -> Conditional | Fault:
    """Return a bucket whose conditions hold; one without conditions only if that is `unsafe`.

    Raises:
        what the bucket raises, when it does not answer.
    """
    if await honoured(bucket):
        return bucket
    if not unsafe or not isinstance(bucket, Unconditional):
        return unmet()
    log.warning("owner.unsafe", problem=unmet().problem)
    return WrittenAndReadBack(bucket)


async def _refuses(write: Awaitable[str]) -> bool:
    try:
        await write
    except Exception as raised:
        if is_conflict(raised):
            return True
        raise
    return False


def _content() -> bytes:
    return (
        f"walsup asks whether conditions of writes are honoured: {os.urandom(8).hex()}\n".encode()
    )
