"""An HTTP proxy in front of an S3 server that spoils each request the first times it is made."""

import asyncio
import collections
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from dev.harness.faults.refusals import error_document, reset
from dev.harness.processes.ports import free_ports

_LATE_S = 6.0
_CALL_TIMEOUT_S = 10.0
_LONGEST_HEAD_BYTES = 1 << 16


class PickyProxy:
    """A loopback port in front of `target_port`; `spoil` chooses the faults.

    A request is its method, its path and what it lists; each is spoilt the first times.
    """

    KINDS = ("403", "404", "503", "slow", "cut", "refused", "wrong bytes")

    def __init__(self, target_port: int) -> None:
        self.port = free_ports(1)[0]
        self.spoilt: collections.Counter[str] = collections.Counter()
        self.seen: collections.Counter[str] = collections.Counter()
        self._target_port = target_port
        self._kinds: tuple[str, ...] = ()
        self._times = 1
        self._only: Callable[[str], bool] = lambda _: True
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        async def end() -> None:
            if self._server is not None:
                self._server.close()
            others = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self._call(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    @property
    def endpoint(self) -> str:
        """The address that clients take."""
        return f"http://127.0.0.1:{self.port}"

    def spoil(self, *kinds: str, times: int = 1, only: Callable[[str], bool] | None = None) -> None:
        """Begin to spoil each request with each kind in turn; without a kind, no more.

        `only` tells of a request whether it is meant.
        """
        self.spoilt.clear()
        self._kinds, self._times = kinds, times
        self._only = only or (lambda _: True)

    def _call(self, work: Coroutine[Any, Any, Any]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_CALL_TIMEOUT_S)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(_length(head))
            await self._answer(head, body, writer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            reset(writer)
        finally:
            with contextlib.suppress(OSError):
                writer.close()

    async def _answer(self, head: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        asked = parse_qs(urlsplit(target).query)
        listing = "list-type" in asked or "prefix" in asked
        what = f"{method} {urlsplit(target).path} {asked.get('prefix', [''])[0]}".strip()
        self.seen[what] += 1
        kind = self._next(what, listing=listing)
        if kind in ("403", "404", "503"):
            codes = {"403": "AccessDenied", "404": "NoSuchBucket", "503": "SlowDown"}
            document = b"" if method == "HEAD" else error_document(codes[kind])
            writer.write(f"HTTP/1.1 {kind} No\r\nContent-Length: {len(document)}\r\n".encode())
            writer.write(b"Content-Type: application/xml\r\nConnection: close\r\n\r\n" + document)
            return
        if kind == "refused":
            reset(writer)
            return
        if kind == "slow":
            await asyncio.sleep(_LATE_S)
        answer = await self._upstream(head, body)
        writer.write(_spoilt(answer, kind))

    def _next(self, what: str, *, listing: bool) -> str | None:
        """Give how this request is to be spoilt."""
        # Of an object a 404 would be an honest "absent".
        kinds = [k for k in self._kinds if listing or k != "404"] if self._only(what) else []
        before = self.spoilt[what]
        if before >= len(kinds) * self._times:
            return None
        self.spoilt[what] += 1
        return kinds[before % len(kinds)]

    async def _upstream(self, head: bytes, body: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        try:
            lines = [
                line
                for line in head.rstrip(b"\r\n").split(b"\r\n")
                if not line.lower().startswith(b"connection:")
            ]
            writer.write(b"\r\n".join([*lines, b"Connection: close"]) + b"\r\n\r\n" + body)
            await writer.drain()
            return await reader.read()
        finally:
            writer.close()


def _spoilt(answer: bytes, kind: str | None) -> bytes:
    head, blank, body = answer.partition(b"\r\n\r\n")
    if kind == "cut":
        return head + blank + body[: len(body) // 2]
    if kind == "wrong bytes" and head.startswith(b"HTTP/1.1 20") and body:
        middle = len(body) // 2
        wrong = bytes(byte ^ 0xFF for byte in body[middle : middle + 8])
        return head + blank + body[:middle] + wrong + body[middle + len(wrong) :]
    return answer


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0
