"""HTTP: probes, metrics and status, each a pure function of the snapshot of the moment."""

import asyncio
import contextlib
import json
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import uvicorn

from walsup import log
from walsup.agent import health, metrics, status
from walsup.agent.board import Board, Snapshot
from walsup.archive.fault import Fault
from walsup.settings import HttpAddress

_JSON = "application/json"
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BIND_RETRY_S = 5.0

Message = Mapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Callable[[], Awaitable[Message]], Send], Awaitable[None]]
Page = tuple[int, str, bytes]


def application(board: Board) -> Application:
    """Build the application over a board, in ASGI's own words: that takes no framework."""

    async def answer(scope: Message, _receive: object, send: Send) -> None:
        code, kind, body = _answer(scope["method"], scope["path"], board.snapshot)
        headers = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(body))]
        if code == 405:  # noqa: PLR2004 (as HTTP numbers it)
            headers.append((b"allow", b"GET, HEAD"))
        await send({"type": "http.response.start", "status": code, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return answer


def _answer(method: str, path: str, seen: Snapshot) -> Page:
    """Give status code, content type and body; a HEAD's body is uvicorn's to leave out."""
    show = _PAGES.get(path.rstrip("/"))
    if show is None:
        return 404, _JSON, _as_json({"problem": "not found", "paths": list(_PAGES)})
    if method not in ("GET", "HEAD"):
        return 405, _JSON, _as_json({"problem": f"{method} is not answered here"})
    return show(seen)


def _probe(
    judge: Callable[[Snapshot], health.Answer],
) -> Callable[[Snapshot], Page]:
    def show(seen: Snapshot) -> Page:
        found = judge(seen)
        body = {"ok": found.ok, "reasons": list(found.reasons)}
        return 200 if found.ok else 503, _JSON, _as_json(body)

    return show


def _as_json(content: object) -> bytes:
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


_PAGES: dict[str, Callable[[Snapshot], Page]] = {
    "/livez": _probe(health.live),
    "/readyz": _probe(health.ready),
    "/startupz": _probe(health.startup),
    "/metrics": lambda seen: (200, _METRICS_TYPE, metrics.render(seen)),
    "/status": lambda seen: (200, _JSON, _as_json(status.as_json(seen))),
}


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: PID 1 alone decides when the agent ends."""
        yield


async def serve(board: Board, address: HttpAddress) -> None:
    """Answer for ever; a port that is taken is a fault, not an end."""
    while True:
        try:
            listener = _listen(address)
        except OSError as raised:
            board.fault(
                "http",
                Fault(
                    kind="unknown",
                    problem=f"cannot listen on {address.host}:{address.port}: {raised.strerror}",
                    remedy="set WALSUP_HTTP to a free address",
                ),
            )
            await asyncio.sleep(_BIND_RETRY_S)
            continue
        board.clear("http")
        log.info("http.listening", host=address.host, port=address.port)
        config = uvicorn.Config(
            application(board),
            log_config=None,
            access_log=False,
            interface="asgi3",
            lifespan="off",
            timeout_keep_alive=5,
            limit_concurrency=64,
        )
        with listener:
            await _Server(config).serve(sockets=[listener])


def _listen(address: HttpAddress) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address.host, address.port))
    except OSError:
        listener.close()
        raise
    return listener
