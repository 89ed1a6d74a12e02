"""Answers HTTP requests in the agent's event loop: when the loop hangs, probes fail."""

import asyncio
import errno
import os
import socket
from http import HTTPStatus
from pathlib import Path

import h11

from walsup import log
from walsup.agent.board import Board
from walsup.agent.http.connection_limit import MOST_CONNECTIONS, ClientConnection, ConnectionLimit
from walsup.agent.http.listeners import STATUS_SOCKET, listen_in, listen_on_tcp
from walsup.agent.http.routes import READS, HttpResponse, page, problem
from walsup.agent.repeated_errors import REPEATS
from walsup.agent.subject import Subject
from walsup.archive.faults import Fault, FaultKind
from walsup.settings import HttpAddress

_BIND_RETRY_S = 5.0
# For a whole request, for sending an answer, and between two requests.
_PATIENCE_S = 5.0
_MOST_COMMANDS = 16
_PIECE = 1 << 14
_NO_REQUEST = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


async def serve(board: Board, address: HttpAddress) -> None:
    """Answer on TCP without end; a port that is in use is a fault, and is tried again."""
    while True:
        try:
            listener = listen_on_tcp(address)
        except OSError as raised:
            board.fault(Subject.HTTP, _cannot_listen(str(address), raised))
            await asyncio.sleep(_BIND_RETRY_S)
            continue
        board.clear(Subject.HTTP)
        log.info("http.listening", host=listener.getsockname()[0], port=address.port)
        await ConnectionLimit(MOST_CONNECTIONS, Conversation(board).hold).accept_at(listener)


async def serve_commands(board: Board, run_dir: Path) -> None:
    """Answer on the run directory's unix socket without end; recreate it when it is removed."""
    path = run_dir / STATUS_SOCKET
    while True:
        try:
            listener = listen_in(run_dir)
            made = path.stat()
        except OSError as raised:
            board.fault(Subject.STATUS_SOCKET, _cannot_listen(str(path), raised))
            await asyncio.sleep(_BIND_RETRY_S)
            continue
        board.clear(Subject.STATUS_SOCKET)
        connections = ConnectionLimit(_MOST_COMMANDS, Conversation(board).hold)
        accepting = asyncio.create_task(connections.accept_at(listener))
        try:
            while not accepting.done() and _is_there(path, made):
                await asyncio.wait({accepting}, timeout=_BIND_RETRY_S)
        finally:
            accepting.cancel()
            await asyncio.gather(accepting, return_exceptions=True)


def _is_there(path: Path, made: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), made)
    except OSError:
        return False


def _cannot_listen(where: str, raised: OSError) -> Fault:
    kind = FaultKind.ADDRESS_IN_USE if raised.errno == errno.EADDRINUSE else FaultKind.UNKNOWN
    remedy = (
        "" if kind == FaultKind.ADDRESS_IN_USE else "set WALSUP_HTTP to an address of this machine"
    )
    if where.startswith("/"):
        remedy = "make the run directory writable for this user, and free space in it"
    return Fault(kind, f"cannot listen on {where}: {raised.strerror}", remedy)


class Conversation:
    """Answers the requests of all connections, one answer in a turn of the event loop."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._desk = asyncio.Lock()

    async def hold(self, connection: ClientConnection) -> None:
        """Answer one request after the other, until the client ends or is too slow.

        Raises:
            OSError: the client closed the connection, or was too slow.
        """
        http = h11.Connection(h11.SERVER)
        sock = connection.sock
        loop = asyncio.get_running_loop()
        while True:
            connection.wait_for_client()
            async with asyncio.timeout(_PATIENCE_S):
                try:
                    request = await _request(http, sock)
                except h11.RemoteProtocolError:
                    await loop.sock_sendall(sock, _NO_REQUEST)
                    break
            if request is None:
                break
            connection.is_served()
            # Pipelined requests, by any number of clients, must not block the loop: it renews the
            # lease.
            async with self._desk:
                response = self._answer(request)
                await asyncio.sleep(0)
            connection.wait_for_client()
            async with asyncio.timeout(_PATIENCE_S):
                written = _written(http, response, bodiless=request.method == b"HEAD")
                await loop.sock_sendall(sock, written)
            if http.our_state is not h11.DONE or http.their_state is not h11.DONE:
                break
            http.start_next_cycle()
        sock.shutdown(socket.SHUT_WR)

    def _answer(self, request: h11.Request) -> HttpResponse:
        path = request.target.decode().partition("?")[0]
        try:
            return page(request.method.decode(), path, self._board.shown())
        except Exception as raised:  # noqa: BLE001 (a page must not end the others)
            REPEATS.exception("http.failed", raised, path=path)
            return problem(500, "walsup cannot show this; the log says why")


async def _request(http: h11.Connection, sock: socket.socket) -> h11.Request | None:
    """Return the next request, None at the connection's end; its body is read and dropped."""
    request = None
    loop = asyncio.get_running_loop()
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await loop.sock_recv(sock, _PIECE))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, (h11.EndOfMessage, h11.ConnectionClosed)):
            return request


def _written(http: h11.Connection, response: HttpResponse, *, bodiless: bool = False) -> bytes:
    headers = [("content-type", response.kind), ("content-length", str(len(response.body)))]
    if response.code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append(("allow", ", ".join(READS)))
    reason = HTTPStatus(response.code).phrase
    events = [
        h11.Response(status_code=response.code, headers=headers, reason=reason),
        *([] if bodiless else [h11.Data(data=response.body)]),
        h11.EndOfMessage(),
    ]
    return b"".join(http.send(event) or b"" for event in events)
