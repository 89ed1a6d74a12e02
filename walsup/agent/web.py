"""HTTP: probes, metrics and status, each a pure function of the snapshot of the moment."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from walsup import log
from walsup.agent import health, metrics, status
from walsup.agent.board import Board, Snapshot
from walsup.archive.fault import Fault
from walsup.settings import HttpAddress

_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BIND_RETRY_S = 5.0


def application(board: Board) -> Starlette:
    """Build the application over a board."""

    def probe(judge: Callable[[Snapshot], health.Answer]) -> Callable[[Request], Response]:
        async def answer(_: Request) -> Response:
            found = judge(board.snapshot)
            body = {"ok": found.ok, "reasons": list(found.reasons)}
            return JSONResponse(body, 200 if found.ok else 503)

        return answer  # type: ignore[return-value]

    async def show_metrics(_: Request) -> Response:
        return Response(metrics.render(board.snapshot), media_type=_METRICS_TYPE)

    async def show_status(_: Request) -> Response:
        return JSONResponse(status.as_json(board.snapshot))

    return Starlette(
        routes=[
            Route("/livez", probe(health.live)),
            Route("/readyz", probe(health.ready)),
            Route("/startupz", probe(health.startup)),
            Route("/metrics", show_metrics),
            Route("/status", show_status),
        ]
    )


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
            lifespan="off",
            timeout_keep_alive=5,
            limit_concurrency=64,
        )
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
