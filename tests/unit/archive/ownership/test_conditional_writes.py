"""Whether a server honours conditions: found out by writes, before anything relies on it."""

from functools import partial
from typing import cast

import pytest

from walsup.archive.faults import Fault, FaultKind
from walsup.archive.ownership.conditional_writes import (
    WrittenAndReadBack,
    honoured,
    trusted,
    unmet,
)
from walsup.archive.paths import CONDITIONS_KEY, OWNER_KEY
from walsup.archive.storage.bucket import Bucket, ConflictError, Object
from walsup.archive.storage.s3.failures import RefusedError


class _Directory:
    """An archive in memory, whose conditions hold but for what the test breaks.

    `refusal`: what the next create raises. `rivals`: so many times another start writes between a
    read and the write that follows.
    """

    def __init__(self, *, none_match: bool = True, match: bool = True, right: bool = True) -> None:
        self.objects: dict[str, bytes] = {}
        self._none_match, self._match, self._right = none_match, match, right
        self.refusal: Exception | None = None
        self.rivals = 0

    async def get(self, key: str) -> Object:
        """Read an object."""
        if key not in self.objects:
            raise FileNotFoundError(key)
        content = self.objects[key]
        return Object(content=content, etag=f'"{content!r}"')

    async def create(self, key: str, content: bytes) -> str:
        """Write with If-None-Match."""
        refusal, self.refusal = self.refusal, None
        if refusal is not None:
            raise refusal
        if self._none_match and key in self.objects:
            raise ConflictError(key)
        self.objects[key] = content
        return (await self.get(key)).etag

    async def replace(self, key: str, content: bytes, etag: str) -> str:
        """Write with If-Match."""
        is_right = etag == (await self.get(key)).etag
        if is_right and self.rivals:
            self.rivals -= 1
            self.objects[key] = b"another start asks too: %d" % self.rivals
            raise ConflictError(key)
        if (self._match and not is_right) or (is_right and not self._right):
            raise ConflictError(key)
        self.objects[key] = content
        return (await self.get(key)).etag

    def as_bucket(self) -> Bucket:
        """Give it as a bucket: it has what is asked of one here."""
        return cast("Bucket", self)


class _Server(_Directory):
    """As S3, which can be written without a condition too."""

    async def put(self, key: str, content: bytes) -> None:
        """Write without a condition."""
        self.objects[key] = content


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (_Server(), True),
        (_Server(none_match=False), False),
        (_Server(match=False), False),
        (_Server(right=False), False),
    ],
    ids=["all", "no If-None-Match", "no If-Match", "If-Match never matches"],
)
@pytest.mark.rule("one-owner")
async def test_each_condition_is_tried(server: _Server, expected: bool) -> None:  # noqa: FBT001 (a table)
    """One that refuses what it must, and allows the rest; asked twice, as each start does."""
    for _ in range(2):
        assert await honoured(server.as_bucket()) is expected
    assert server.objects.keys() == {CONDITIONS_KEY}


async def test_a_server_that_does_not_implement_them_has_none() -> None:
    """It says so: that is an answer."""
    server = _Server()
    server.refusal = RefusedError(unmet(), 501, "NotImplemented")
    assert not await honoured(server.as_bucket())


async def test_a_server_that_cannot_be_asked_is_no_answer() -> None:
    """A bucket that rejects the key says nothing about its conditions."""
    server = _Server()
    for ask in (honoured, partial(trusted, unsafe=True)):
        server.refusal = RefusedError(Fault(FaultKind.AUTH, "no"), 403, "AccessDenied")
        with pytest.raises(RefusedError):
            await ask(server.as_bucket())


async def test_a_start_that_asks_at_the_same_time_is_no_broken_condition() -> None:
    """Its write shows in the object: the question is asked again."""
    server = _Server()
    server.rivals = 3
    assert await honoured(server.as_bucket())
    assert server.rivals == 0


@pytest.mark.rule("one-owner")
async def test_a_server_without_conditions_is_trusted_only_when_that_is_allowed() -> None:
    """WALSUP_UNSAFE_OWNER; a directory is never written without a condition."""
    sound, broken, directory = _Server(), _Server(match=False), _Directory(match=False)
    assert await trusted(sound.as_bucket(), unsafe=False) is sound
    assert await trusted(broken.as_bucket(), unsafe=False) == unmet()
    assert isinstance(await trusted(broken.as_bucket(), unsafe=True), WrittenAndReadBack)
    refused = await trusted(directory.as_bucket(), unsafe=True)
    assert isinstance(refused, Fault)
    assert refused.kind is FaultKind.NO_CONDITIONAL_WRITES


async def test_without_conditions_a_write_is_read_back() -> None:
    """What exists is not created again, what has changed is not replaced."""
    server = _Server(none_match=False, match=False)
    careful = WrittenAndReadBack(server, settle_s=0)
    etag = await careful.create(OWNER_KEY, b"ours")
    with pytest.raises(ConflictError):
        await careful.create(OWNER_KEY, b"theirs")
    with pytest.raises(ConflictError):
        await careful.replace(OWNER_KEY, b"theirs", '"another version"')
    await careful.replace(OWNER_KEY, b"ours again", etag)
    assert (await careful.get(OWNER_KEY)).content == b"ours again"


async def test_without_conditions_a_write_that_is_overwritten_is_lost() -> None:
    """Another start has written while this one waited."""

    class _Overtaken(_Server):
        async def put(self, key: str, content: bytes) -> None:
            await super().put(key, content)
            await super().put(key, b"theirs")

    careful = WrittenAndReadBack(_Overtaken(), settle_s=0)
    with pytest.raises(ConflictError):
        await careful.create(OWNER_KEY, b"ours")
