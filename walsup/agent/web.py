"""HTTP: answers requests with pages, from the agent's own loop: one that hangs answers none."""

import asyncio
import socket
from http import HTTPStatus

import h11

from walsup import log
from walsup.agent.board import Board
from walsup.agent.pages import READS, Page, page, problem
from walsup.archive.fault import Fault
from walsup.settings import HttpAddress

_BIND_RETRY_S = 5.0
# For a whole request, for an answer to be taken, and between two requests.
_PATIENCE_S = 5.0
_MOST_CONNECTIONS = 64
_PIECE = 1 << 14
_BACKLOG = 32
_NO_REQUEST = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


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
        await _Web(board).answer_at(listener)


class _Web:
    def __init__(self, board: Board) -> None:
        self._board = board
        self._connections: set[asyncio.Task[None]] = set()

    async def answer_at(self, listener: socket.socket) -> None:
        """Answer until cancelled; whoever is connected then is not waited for."""
        server = await asyncio.start_server(self._begin, sock=listener, backlog=_BACKLOG)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            server.close()
            for connection in self._connections:
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._converse(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answer_all(reader, writer)
        except (OSError, asyncio.CancelledError):  # TimeoutError is one
            writer.transport.abort()  # else it would wait for a client that does not read
        else:
            writer.close()

    async def _answer_all(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        http = h11.Connection(h11.SERVER)
        while True:
            async with asyncio.timeout(_PATIENCE_S):
                try:
                    request = await _request(http, reader)
                except h11.RemoteProtocolError:
                    writer.write(_NO_REQUEST)
                    return
                if request is None:
                    return
                shown = self._answer(request)
                writer.write(_written(http, shown, bodiless=request.method == b"HEAD"))
                await writer.drain()
            if http.our_state is not h11.DONE or http.their_state is not h11.DONE:
                return
            http.start_next_cycle()
            await asyncio.sleep(0)  # requests sent ahead must not keep the loop

    def _answer(self, request: h11.Request) -> Page:
        if len(self._connections) > _MOST_CONNECTIONS:
            return problem(503, f"more than {_MOST_CONNECTIONS} connections at a time")
        path = request.target.decode().partition("?")[0]
        try:
            return page(request.method.decode(), path, self._board.snapshot)
        except Exception as raised:  # noqa: BLE001 (a page must not end the others)
            log.error("http.failed", path=path, problem=f"{type(raised).__name__}: {raised}")
            return problem(500, "walsup cannot show this; its log says why")


async def _request(http: h11.Connection, reader: asyncio.StreamReader) -> h11.Request | None:
    """Give the next request, None at the connection's end; its body is read and dropped."""
    request = None
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await reader.read(_PIECE))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, (h11.EndOfMessage, h11.ConnectionClosed)):
            return request


def _written(http: h11.Connection, shown: Page, *, bodiless: bool = False) -> bytes:
    headers = [("content-type", shown.kind), ("content-length", str(len(shown.body)))]
    if shown.code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append(("allow", ", ".join(READS)))
    reason = HTTPStatus(shown.code).phrase
    events = [
        h11.Response(status_code=shown.code, headers=headers, reason=reason),
        *([] if bodiless else [h11.Data(data=shown.body)]),
        h11.EndOfMessage(),
    ]
    return b"".join(http.send(event) or b"" for event in events)


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
