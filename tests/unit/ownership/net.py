"""The bucket in memory, and each member's way to it: requests and answers that may be held up."""

import enum
import hashlib
import math
import types
from collections.abc import AsyncIterator, Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from walsup.archive.paths import OWNER_KEY
from walsup.archive.storage.bucket import ConflictError, Listed, ListingPage, Object
from walsup.postgres.wal import Switch


class State(enum.Enum):
    """Where a request is. LATE: given up by who sent it, and yet it may arrive."""

    SENT = 1
    ANSWERED = 2
    LATE = 3
    DONE = 4


@dataclass(eq=False)
class Request:
    """One request of a member; `answer` or `raised` once the store has seen it."""

    member: int
    run: Callable[[], object]
    writes: bool
    until_s: float
    state: State = State.SENT
    answer: object = None
    raised: Exception | None = None

    def arrive(self) -> None:
        """Let the store see it."""
        try:
            self.answer = self.run()
        except Exception as raised:  # noqa: BLE001 (it is the answer)
            self.raised = raised
        if self.state is State.SENT:
            self.state = State.ANSWERED


@dataclass
class Sleep:
    """What a member waits for that sleeps."""

    until_s: float


@types.coroutine
def wait(event: Request | Sleep) -> Generator[Request | Sleep, None, None]:
    """Hand control to the scheduler until it has happened."""
    yield event


@dataclass
class Store:
    """A linearizable bucket; the tag of an object is that of its bytes, as S3 has it."""

    objects: dict[str, bytes] = field(default_factory=dict)
    lines: dict[int, tuple[Switch, ...]] = field(default_factory=dict)
    conditions: bool = True

    def get(self, key: str) -> Object:
        """Read an object."""
        if key not in self.objects:
            raise FileNotFoundError(key)
        return Object(content=self.objects[key], etag=tag(self.objects[key]))

    def names(self, under: str, after: str = "") -> list[str]:
        """List the keys directly in a folder, in order, behind a key."""
        folder = f"{under}/"
        keys = (key for key in self.objects if key.startswith(folder) and key > after)
        return sorted(key for key in keys if "/" not in key.removeprefix(folder))

    def put(self, key: str, content: bytes, etag: str | None) -> str:
        """Write under a condition; `etag` None: it must not exist."""
        there = self.objects.get(key)
        if self.conditions and (None if there is None else tag(there)) != etag:
            raise ConflictError(key)
        self.objects[key] = content
        return tag(content)


def tag(content: bytes) -> str:
    """The same bytes have the same tag."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


class Link:
    """One member's bucket: what `Bucket` has, as far as ownership asks for it."""

    region = None

    def __init__(
        self, store: Store, member: int, clock: Callable[[], float], timeout_s: float
    ) -> None:
        self.store = store
        self._member = member
        self._clock = clock
        self._timeout_s = timeout_s
        self.budget = math.inf  # so many requests, and no more is answered

    async def ask(self, run: Callable[[], object], *, writes: bool = False) -> Any:  # noqa: ANN401 (what the store gives)
        """Send a request, and wait for its answer.

        Raises:
            TimeoutError: it has not come in time; then nobody knows what has happened.
        """
        self.budget -= 1
        if self.budget < 0:
            raise TimeoutError("no answer")
        request = Request(self._member, run, writes, self._clock() + self._timeout_s)
        await wait(request)
        if request.state is State.LATE:
            raise TimeoutError("no answer")
        if request.raised is not None:
            raise request.raised
        return request.answer

    async def get(self, key: str) -> Object:
        """Read an object."""
        if key != OWNER_KEY:
            return Object(content=b"conditions", etag="conditions")
        found: Object = await self.ask(lambda: self.store.get(key))
        return found

    async def create(self, key: str, content: bytes) -> str:
        """Write an object that must not exist."""
        if key != OWNER_KEY:  # the server's own conditions are not what is tried here
            raise ConflictError(key)
        return str(await self.ask(lambda: self.store.put(key, content, None), writes=True))

    async def replace(self, key: str, content: bytes, etag: str) -> str:
        """Write over the version with this tag."""
        if key != OWNER_KEY:
            if etag == '"not-this-one"':
                raise ConflictError(key)
            return "written"
        return str(await self.ask(lambda: self.store.put(key, content, etag), writes=True))

    async def keys(self, under: str, after: str = "") -> AsyncIterator[str]:
        """List what is archived, with the history files of the timelines that were begun."""

        def listed() -> list[str]:
            histories = [f"{under}/{number:08X}.history" for number in self.store.lines]
            return [*(name for name in histories if name > after), *self.store.names(under, after)]

        for name in sorted(await self.ask(listed)):
            yield name

    async def pages(self, under: str, after: str = "") -> AsyncIterator[ListingPage]:
        """List the same as one page."""
        yield ListingPage(tuple([Listed(name, 100, 0.0) async for name in self.keys(under, after)]))
