"""What the five paths answer, over a real connection."""

import asyncio
import contextlib
import http.client
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from dev.harness import free_ports
from tests.unit.agent.snapshots import FAULT, PROTECTED
from walsup.agent.board import Board
from walsup.agent.http.connection_limit import MOST_CONNECTIONS, ClientConnection, longest_idle
from walsup.agent.http.listeners import STATUS_SOCKET, short_path
from walsup.agent.http.routes import page
from walsup.agent.http.server import serve, serve_commands
from walsup.agent.subject import Subject
from walsup.archive.faults import Fault, FaultKind
from walsup.settings import HttpAddress


def asked(*requests: tuple[str, str]) -> list[tuple[int, dict[str, str], bytes]]:
    """The answers of a server over an empty board: status code, headers, body."""

    async def ask() -> list[tuple[int, dict[str, str], bytes]]:
        (port,) = free_ports(1)
        server = asyncio.create_task(serve(Board("s3://bucket/x"), HttpAddress("127.0.0.1", port)))
        try:
            return await asyncio.to_thread(lambda: [one(port, *request) for request in requests])
        finally:
            server.cancel()
            await asyncio.gather(server, return_exceptions=True)

    def one(port: int, method: str, path: str) -> tuple[int, dict[str, str], bytes]:
        for _ in range(100):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            try:
                connection.request(method, path)
                got = connection.getresponse()
                return got.status, {k.lower(): v for k, v in got.getheaders()}, got.read()
            except ConnectionRefusedError:
                time.sleep(0.05)
            finally:
                connection.close()
        raise AssertionError("it does not listen")

    return asyncio.run(ask())


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/startupz"])
def test_a_probe_says_why(path: str) -> None:
    """JSON with a verdict, and its reasons when it is no."""
    ((code, headers, body),) = asked(("GET", path))
    told = json.loads(body)
    assert code == (200 if told["ok"] else 503)
    assert bool(told["reasons"]) is not told["ok"]
    assert headers["content-type"] == "application/json"


def test_metrics_and_status() -> None:
    """Each in its own form."""
    metrics, status = asked(("GET", "/metrics"), ("GET", "/status"))
    assert metrics[0] == status[0] == 200
    assert metrics[1]["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b"# TYPE walsup_" in metrics[2]
    assert json.loads(status[2])["archive"] == "s3://bucket/x"


def test_other_requests() -> None:
    """A query is no part of the path; HEAD has no body; the rest is refused with the way out."""
    query, slash, head, missing, posted = asked(
        ("GET", "/livez?verbose=1"),
        ("GET", "/livez/"),
        ("HEAD", "/status"),
        ("GET", "/nowhere"),
        ("POST", "/livez"),
    )
    assert query[0] == slash[0] == 200
    assert head[0] == 200
    assert int(head[1]["content-length"]) > 0
    assert head[2] == b""
    assert missing[0] == 404
    assert "/readyz" in json.loads(missing[2])["paths"]
    assert posted[0] == 405
    assert posted[1]["allow"] == "GET, HEAD"


Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def serving() -> AsyncIterator[int]:
    """A server over an empty board; gives its port."""
    (port,) = free_ports(1)
    server = asyncio.create_task(serve(Board("s3://bucket/x"), HttpAddress("127.0.0.1", port)))
    for _ in range(100):
        await asyncio.sleep(0.02)
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            continue
        writer.close()
        break
    try:
        yield port
    finally:
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)


async def connected(port: int) -> Line:
    """A connection to it."""
    return await asyncio.open_connection("127.0.0.1", port)


async def said(line: Line, *pieces: bytes) -> tuple[bytes, bytes]:
    """Head and body of what is answered to these bytes, sent piece by piece."""
    for piece in pieces:
        line[1].write(piece)
        await asyncio.sleep(0.01)
    head = await line[0].readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    return head, await line[0].readexactly(length)


async def test_a_connection_serves_many_requests() -> None:
    """One after the other, in any pieces, sent ahead too; with a body that nobody wants."""
    get = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    post = b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    async with serving() as port:
        line = await connected(port)
        for pieces in ([get], [get[:9], get[9:]], [bytes([byte]) for byte in get], [post]):
            head, body = await said(line, *pieces)
            assert head.startswith((b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 405 Method Not Allowed\r\n"))
            assert json.loads(body)
        await said(line, get + get)
        await said(line)
        line[1].close()


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"hello\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 99999,
        b"GET http://[ HTTP/1.0\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_refused(nonsense: bytes) -> None:
    """TLS, another protocol, a head without end: none is served, and the next one is."""
    async with serving() as port:
        reader, writer = await connected(port)
        writer.write(nonsense)
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 10)
        assert answer.startswith(b"HTTP/1.1 4") or not answer
        writer.close()
        line = await connected(port)
        assert b" 200 OK" in (await said(line, b"GET /livez HTTP/1.0\r\n\r\n"))[0]
        line[1].close()


async def test_who_says_nothing_is_let_go() -> None:
    """A half request does not keep a connection for ever."""
    async with serving() as port:
        reader, writer = await connected(port)
        writer.write(b"GET /liv")
        assert await asyncio.wait_for(reader.read(), 30) == b""
        writer.close()


async def test_idle_connections_are_closed_to_make_room() -> None:
    """The longest idle one of the address that holds the most; a new one is always answered."""
    get = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    async with serving() as port:
        other = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0))
        lines = [await connected(port) for _ in range(3 * MOST_CONNECTIONS)]
        assert b" 200 OK" in (await said(lines[-1], get))[0]
        assert b" 200 OK" in (await said(other, get))[0]
        assert await asyncio.wait_for(lines[0][0].read(), 10) == b""
        for _, writer in (other, *lines):
            writer.close()


async def test_what_is_being_served_is_not_closed() -> None:
    """Only what waits for its client makes room."""
    pairs = [socket.socketpair() for _ in range(3)]
    held = [ClientConnection(here, "a") for here, _ in pairs]
    held[0].is_served()
    held[1].wait_for_client()
    held[2].waits_since_s = 0.0
    assert longest_idle(set(held)) is held[2]
    assert longest_idle({held[0], held[1]}) is held[1]
    assert longest_idle({held[0]}) is None
    alone = ClientConnection(pairs[0][0], "b")
    alone.waits_since_s = -1.0
    assert longest_idle({*held, alone}) is held[2], "one of the address that holds the most"
    for pair in pairs:
        for one in pair:
            one.close()


async def test_a_port_in_use_is_a_fault_and_commands_are_answered(tmp_path: Path) -> None:
    """On the unix socket, whose path may be longer than an address has room for."""
    run_dir = tmp_path / ("d" * 200)
    run_dir.mkdir()
    board = Board(None)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = HttpAddress("127.0.0.1", other.getsockname()[1])
        tasks = [
            asyncio.create_task(serve(board, address)),
            asyncio.create_task(serve_commands(board, run_dir)),
        ]
        await asyncio.sleep(0.1)
        assert board.snapshot.faults[Subject.HTTP].fault.kind == FaultKind.ADDRESS_IN_USE
        with short_path(run_dir / STATUS_SOCKET) as path:
            line = await asyncio.open_unix_connection(path)
        assert b" 200 OK" in (await said(line, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"))[0]
        line[1].close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize(("taken", "answers"), [("", "::1"), ("::", "127.0.0.1")])
async def test_without_a_host_all_addresses_answer(taken: str, answers: str) -> None:
    """Of both families; of IPv4 where another program has the port of IPv6, or there is none."""
    with socket.socket(socket.AF_INET6) as other:
        other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        other.bind(("::", 0))
        port = other.getsockname()[1]
        if taken:
            other.listen()
        else:
            other.close()
        server = asyncio.create_task(serve(Board(None), HttpAddress("", port)))
        await asyncio.sleep(0.1)
        for host in {answers, "127.0.0.1"}:
            line = await asyncio.open_connection(host, port)
            assert b" 200 OK" in (await said(line, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"))[0]
            line[1].close()
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)


async def test_its_end_waits_for_nobody() -> None:
    """Who is connected then is let go."""
    async with serving() as port:
        reader, writer = await connected(port)
        await said((reader, writer), b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    assert await asyncio.wait_for(reader.read(), 3) == b""
    writer.close()


async def test_requests_sent_ahead_do_not_keep_the_loop() -> None:
    """Other work, the lease above all, has its turn between any two of them."""
    get = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    number = 500
    async with serving() as port:
        reader, writer = await connected(port)
        writer.write(get * number)
        turns = 0
        answers = asyncio.create_task(_count(reader, number))
        while not answers.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns > number
        writer.close()


async def _count(reader: asyncio.StreamReader, number: int) -> None:
    for _ in range(number):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        await reader.readexactly(length)


async def test_who_does_not_read_is_let_go() -> None:
    """With what was written to him: a socket that waits for him counts nowhere."""
    status = b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n"
    async with serving() as port:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 12)
        sock.setblocking(False)  # noqa: FBT003 (its own word)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                await asyncio.get_running_loop().sock_sendall(sock, status * 20000)
        here = sock.getsockname()[1]
        for _ in range(300):
            if not _held(port, here):
                break
            await asyncio.sleep(0.1)
        assert not _held(port, here)
        sock.close()


def _held(port: int, peer: int) -> bool:
    """Whether the server's side of a connection is still there."""
    pair = (f"0100007F:{port:04X}", f"0100007F:{peer:04X}")
    rows = (row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return any((row[1], row[2]) == pair and row[9] != "0" for row in rows)


@pytest.mark.parametrize("method", [b"HEAD", b"GET"])
async def test_a_broken_body_is_no_request(method: bytes) -> None:
    """Chunks that are none."""
    broken = b" /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    async with serving() as port:
        reader, writer = await connected(port)
        writer.write(method + broken)
        assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 400 ")
        writer.close()


def test_a_name_that_is_no_text_is_shown() -> None:
    """A file's name in another encoding, in a fault's words."""
    fault = Fault(kind=FaultKind.UNKNOWN, problem="/archive/\udcfc: not a directory")
    for path in ("/status", "/readyz", "/metrics"):
        seen = replace(PROTECTED, faults={Subject.ARCHIVE: replace(FAULT, fault=fault)})
        assert page("GET", path, seen).code in (200, 503)
