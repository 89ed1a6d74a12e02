"""The bucket in a directory, accessed through a process that may hang in this one's place.

Rule hung-filesystem.
"""

import asyncio
import errno
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from walsup import log
from walsup.archive.storage.bucket import ConflictError, Listed, ListingPage, Object, PagedListing
from walsup.archive.storage.file_errors import OF_ARCHIVE
from walsup.settings import FileArchive
from walsup.system.devices import Device

REQUEST_TIMEOUT_S = 5.0
_SETTLE_TIMEOUT_S = 60.0
_TREE_TIMEOUT_S = 60.0
_TREE_PAGE = 50_000  # each reads the whole directory again
_DEATH_PATIENCE_S = 0.1
_PAGE = 5000
_CHUNK_BYTES = 1 << 16
_PACKAGES = str(Path(__file__).resolve().parents[3])
_PROGRAM = (
    f"import sys; sys.path.insert(0, {_PACKAGES!r});"
    "from walsup.archive.storage.directory_worker import main; main(sys.argv[1])"
)


class Worker:
    """One worker process, started when it is needed; `ask` may be called from any thread.

    It ends when its socket closes, and so with the end of this process. A request that takes too
    long has it killed. A worker that hangs in the kernel does not die of that: until it does, every
    request fails at once, so that there is never a second one.
    """

    def __init__(self, directory: str, death_patience_s: float = _DEATH_PATIENCE_S) -> None:
        self._directory = directory
        self._death_patience_s = death_patience_s
        self._awaited_pid = 0
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._buffer = b""

    def ask(self, timeout_s: float, **request: object) -> Any:  # noqa: ANN401 (what the worker found)
        """Return the worker's answer.

        Raises:
            TimeoutError: it hangs, or is busy with others' requests.
            ConflictError: a conditional write lost.
            OSError: what the file system said.
        """
        if not self._turn.acquire(timeout=timeout_s):
            raise self._late(f"busy for more than {timeout_s:g} s")
        try:
            line = self._running()
            try:
                line.sendall(json.dumps(request).encode() + b"\n")
                answer = self._answer(line, timeout_s)
            except BaseException:
                self.close()
                raise
        finally:
            self._turn.release()
        if "lost" in answer:
            raise ConflictError(str(answer["lost"]))
        if "errno" in answer:
            raise _noted(
                OSError(answer["errno"], answer["text"], answer["path"] or self._directory)
            )
        return answer["found"]

    def _running(self) -> socket.socket:
        if self._process is not None and self._process.poll() is not None:
            self._process = None
            self._close()
        if self._process is not None:
            if self._line is None:
                raise self._late("hung: an earlier request has not returned yet")
            return self._line
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _PROGRAM, self._directory],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env=log.environment(),
            )
        self._line = ours
        return ours

    def _answer(self, line: socket.socket, timeout_s: float) -> dict[str, Any]:
        """Wait for a line that is not empty; an empty one shows progress."""
        until_s = time.monotonic() + timeout_s
        while True:
            first, found, rest = self._buffer.partition(b"\n")
            if found:
                self._buffer = rest
                if first:
                    answer: dict[str, Any] = json.loads(first)
                    return answer
                until_s = time.monotonic() + timeout_s
                continue
            line.settimeout(max(0.001, until_s - time.monotonic()))
            try:
                chunk = line.recv(_CHUNK_BYTES)
            except TimeoutError:
                raise self._late(f"no answer within {timeout_s:g} s") from None
            if not chunk:
                raise _noted(
                    OSError(
                        errno.EIO, "the process that reads the archive has ended", self._directory
                    )
                )
            self._buffer += chunk

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send it SIGKILL; the next request starts another when it has died."""
        if self._process is not None:
            self._process.send_signal(number)

    def close(self) -> None:
        """End it; a thread waits for one that dies later, so that it is reaped."""
        self._close()
        self.kill()
        process = self._process
        if process is None:
            return
        try:
            process.wait(self._death_patience_s)
        except subprocess.TimeoutExpired:
            if process.pid != self._awaited_pid:
                self._awaited_pid = process.pid
                threading.Thread(target=process.wait, daemon=True).start()

    def _late(self, words: str) -> TimeoutError:
        # The text alone: a thread's TimeoutError loses its file name on the way to asyncio.
        return TimeoutError(errno.ETIMEDOUT, f"{self._directory}: {words}")

    def _close(self) -> None:
        self._buffer = b""
        if self._line is not None:
            self._line.close()
            self._line = None


def _noted(raised: OSError) -> OSError:
    raised.add_note(OF_ARCHIVE)
    return raised


class FileBucket(PagedListing):
    """The archive's directory; raises OSError, TimeoutError and ConflictError."""

    region: str | None = None

    def __init__(self, archive: FileArchive, timeout_s: float = REQUEST_TIMEOUT_S) -> None:
        self._worker = Worker(archive.directory)
        self._timeout_s = timeout_s
        self.kill, self.close = self._worker.kill, self._worker.close

    async def get(self, key: str) -> Object:
        """Read a complete small object."""
        found = await self._ask(do="get", key=key)
        content = found["content"].encode("latin-1")
        return Object(content=content, etag=found["etag"], changed_at=found["changed_at"])

    async def piece(self, key: str, begin: int, size_bytes: int) -> bytes:
        """Read a part of a file; one that begins at or after its end is empty."""
        found = await self._ask(do="piece", key=key, begin=begin, size_bytes=size_bytes)
        return str(found).encode("latin-1")

    async def create(self, key: str, content: bytes) -> str:
        """Write an object that must not exist; create the directory on a mounted volume."""
        return str(await self._ask(do="create", key=key, content=content.decode("latin-1")))

    async def replace(self, key: str, content: bytes, etag: str) -> str:
        """Replace the version that has this tag; return the new tag."""
        text = content.decode("latin-1")
        return str(await self._ask(do="replace", key=key, content=text, etag=etag))

    async def pages(self, under: str, after: str = "") -> AsyncIterator[ListingPage]:
        """Yield a folder's listing, continued after a key, one request a page."""
        while True:
            found = await self._ask(do="page", under=under, after=after, limit=_PAGE)
            rows = tuple(Listed(key, size, at) for key, size, at in found["files"])
            yield ListingPage(rows, tuple(found["folders"]))
            if not (after := found["after"]):
                return

    async def tree(self, under: str, after: str = "") -> AsyncIterator[Sequence[Listed]]:
        """Yield everything below a folder in the order of keys, one request a page."""
        while rows := await self._ask(
            _TREE_TIMEOUT_S, do="tree", under=under, after=after, limit=_TREE_PAGE
        ):
            page = [Listed(key, size, at) for key, size, at in rows]
            yield page
            after = page[-1].key

    def now(self) -> float:
        """Return that it is not known: only a written file has a time."""
        return 0.0

    def first_key_now(self, under: str) -> str:
        """Return one key under a folder, "" when a successful listing finds none. Blocks."""
        return str(self._worker.ask(self._timeout_s, do="first", under=under))

    async def settle(self, key: str) -> bool:
        """Return whether a listed object is complete, and make it durable."""
        return bool(await self._ask(_SETTLE_TIMEOUT_S, do="settle", key=key))

    async def torn(self, under: str, after: str) -> list[str]:
        """Return keys after `after` of unfinished objects that have not grown for 10 s."""
        return [*await self._ask(_SETTLE_TIMEOUT_S, do="torn", under=under, after=after)]

    async def discard_torn(self, key: str) -> bool:
        """Remove an unfinished object; return True when it has been removed."""
        return bool(await self._ask(do="discard_torn", key=key))

    async def device(self) -> Device:
        """Return the device of the directory."""
        return Device(*await self._ask(do="device"))

    async def probe(self, size_bytes: int) -> None:
        """Raise what a write of this size would raise."""
        await self._ask(do="probe", size_bytes=size_bytes)

    async def _ask(self, timeout_s: float = 0.0, **request: object) -> Any:  # noqa: ANN401 (as Worker.ask)
        return await asyncio.to_thread(self._worker.ask, timeout_s or self._timeout_s, **request)
