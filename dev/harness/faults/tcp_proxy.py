"""A TCP proxy that makes an S3 server fail in the ways that networks and services do."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from enum import Enum
from typing import Any, Self, TypeVar

from dev.harness.faults.refusals import ERRORS, answer_once, refusal, reset, swallow
from dev.harness.processes.ports import free_ports

T = TypeVar("T")

_CHUNK_BYTES = 64 * 1024
_CALL_TIMEOUT_S = 10.0
_LOOK_EVERY_S = 0.02


class Mode(Enum):
    """What the proxy does with connections, those already open included."""

    FORWARD = "forwards"
    REFUSE = "has no listener; open connections are reset"
    HANG = "accepts, and neither reads nor answers"
    RESET = "accepts, and resets when the request begins"
    LATENCY = "forwards, each chunk later"
    CUT = "forwards the beginning of each body, and closes"
    STATUS = "answers each request itself with an HTTP status"


class FaultProxy:
    """A loopback port in front of `target_port`, whose behaviour can be changed at any time.

    Runs in a thread of its own. Use it as a context manager; `endpoint` is what a client takes.
    """

    def __init__(self, target_port: int) -> None:
        self.port = free_ports(1)[0]
        self.connections = 0  # accepted since the start
        self._target_port = target_port
        self._mode = Mode.FORWARD
        self._latency_s = 0.0
        self._cut_bytes = 0
        self._status = 503
        self._code = "SlowDown"
        self._revoked = b""
        self._lost = b""
        self._losses = 0
        self.holds = 0  # requests that were held since the start
        self._held = b""
        self._let_go = threading.Event()
        self._thaw: asyncio.Event | None = None
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.pass_through()
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def endpoint(self) -> str:
        """The address that clients take."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def mode(self) -> Mode:
        """What it does now."""
        return self._mode

    def pass_through(self) -> None:
        """No fault."""
        self._call(self._switch(Mode.FORWARD))

    def refuse(self) -> None:
        """Connection refused."""
        self._call(self._switch(Mode.REFUSE))

    def hang(self) -> None:
        """Accept and never answer; connections already open freeze and go on afterwards."""
        self._call(self._switch(Mode.HANG))

    def reset(self) -> None:
        """Accept, and reset when the request begins."""
        self._call(self._switch(Mode.RESET))

    def delay(self, latency_s: float) -> None:
        """Hold every chunk back by `latency_s`, in both directions."""
        self._latency_s = latency_s
        self._call(self._switch(Mode.LATENCY))

    def cut(self, request_bytes: int = 16 * 1024) -> None:
        """Close in the middle of each answer's body, and behind `request_bytes` of what is sent."""
        self._cut_bytes = request_bytes
        self._call(self._switch(Mode.CUT))

    def answer(self, status: int, code: str = "") -> None:
        """Answer every request with `status` (such as 403, 500, 503) and S3's error document."""
        self._status = status
        self._code = code or ERRORS.get(status, "Error")
        self._call(self._switch(Mode.STATUS))

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_CALL_TIMEOUT_S)

    async def _switch(self, mode: Mode) -> None:
        self._mode = mode
        if self._thaw is None:
            self._thaw = asyncio.Event()
        if mode is Mode.HANG:
            self._thaw.clear()
        else:
            self._thaw.set()
        if mode in {Mode.REFUSE, Mode.RESET, Mode.STATUS}:
            self._abort_all()
        if mode is Mode.REFUSE:
            await self._close_listener()
        elif self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _close_listener(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _shut(self) -> None:
        await self._close_listener()
        self._abort_all()
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _abort_all(self) -> None:
        for writer in list(self._open):
            reset(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        try:
            await self._pass_gate()
            match self._mode:
                case Mode.REFUSE:
                    reset(writer)  # accepted just before the listener closed
                case Mode.RESET:
                    await reader.read(1)  # at once, it would look like a refused connection
                    reset(writer)
                case Mode.STATUS:
                    await answer_once(reader, writer, self._status, self._code)
                case Mode.FORWARD | Mode.LATENCY | Mode.HANG | Mode.CUT:
                    await self._forward(reader, writer)
        except OSError:
            reset(writer)  # the other side went away
        finally:
            self._open.discard(writer)
            writer.close()

    def revoke(self, access_key: str) -> None:
        """Answer 403 to requests signed with this key from now on, in whatever mode forwards."""
        self._revoked = f"Credential={access_key}/".encode()

    def reinstate(self) -> None:
        """Take every key again."""
        self._revoked = b""

    def lose(self, words: str, *, times: int = -1) -> None:
        """Take requests with these words in their head, and never answer them; "": none.

        `times`: so many of them, all when it is negative.
        """
        self._lost, self._losses = words.encode(), times

    def hold(self, words: str) -> None:
        """Keep requests with these words in their head, and the data behind, until `let_go`."""
        self._held, self._let_go = words.encode(), threading.Event()

    def let_go(self) -> None:
        """Pass on what is held, and hold nothing any more."""
        self._held = b""
        self._let_go.set()

    async def _hold(self, chunk: bytes) -> None:
        let_go = self._let_go
        if self._held and self._held in chunk:
            self.holds += 1
            while not let_go.is_set():  # noqa: ASYNC110 (it is set in another thread)
                await asyncio.sleep(_LOOK_EVERY_S)

    def _loses(self, chunk: bytes) -> bool:
        """Whether this request is never answered."""
        if not self._lost or not self._losses or self._lost not in chunk:
            return False
        self._losses -= 1
        return True

    async def _pass_gate(self) -> None:
        if self._thaw is not None:
            await self._thaw.wait()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream = await asyncio.open_connection("127.0.0.1", self._target_port)
        self._open.add(upstream)
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(reader, upstream, back=writer))
                pumps.create_task(self._pump(upstream_reader, writer))
        finally:
            self._open.discard(upstream)
            upstream.close()

    async def _pump(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        *,
        back: asyncio.StreamWriter | None = None,
    ) -> None:
        """Copy until the source ends, then pass the end on; a broken side breaks the other."""
        sent = 0
        try:
            while chunk := await source.read(_CHUNK_BYTES):
                await self._pass_gate()
                if self._mode is Mode.LATENCY:
                    await asyncio.sleep(self._latency_s)
                if back and self._revoked and self._revoked in chunk:
                    back.write(refusal())
                    await back.drain()
                    back.close()
                    break
                if back:
                    await self._hold(chunk)
                if back and self._loses(chunk):
                    await swallow(source)
                    break
                kept = self._kept(chunk, sent if back else None)
                sent += len(chunk)
                sink.write(kept)
                await sink.drain()
                if len(kept) < len(chunk):
                    sink.close()
                    break
            with contextlib.suppress(OSError):
                sink.write_eof()
        except OSError:
            reset(sink)

    def _kept(self, chunk: bytes, sent: int | None) -> bytes:
        """What of a chunk is passed on: of a request behind `sent` bytes; None: of an answer."""
        if self._mode is not Mode.CUT:
            return chunk
        if sent is not None:
            return chunk[: max(0, self._cut_bytes - sent)]
        head, blank, body = chunk.rpartition(b"\r\n\r\n")
        return head + blank + body[: len(body) // 2]
