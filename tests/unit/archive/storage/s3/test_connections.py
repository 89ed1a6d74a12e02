"""Requests over real sockets, to a server that says what it is told to, at the worst pace."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.unit.archive.storage.s3.scripted import Scripted
from walsup.archive.storage.s3 import looping
from walsup.archive.storage.s3.blocking import carry
from walsup.archive.storage.s3.connections import ConnectionPool
from walsup.archive.storage.s3.exchange import PreparedRequest, Reply
from walsup.archive.storage.s3.lines import CutOffError
from walsup.archive.storage.s3.steps import Peer, Resolve, Steps

WHOLE = b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: "x"\r\n\r\nhello'
GOOD_BYE = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbye"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
Ask = Callable[[ConnectionPool, PreparedRequest, float], Reply]


def in_a_loop(connections: ConnectionPool, asked: PreparedRequest, timeout_s: float) -> Reply:
    """As the agent asks."""
    return asyncio.run(looping.carry(connections.ask(asked), timeout_s))


def blocking(connections: ConnectionPool, asked: PreparedRequest, timeout_s: float) -> Reply:
    """As a first start asks."""
    return carry(connections.ask(asked), timeout_s)


@pytest.fixture(params=[in_a_loop, blocking])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Both ways to wait."""
    made: Ask = request.param
    return made


def get() -> PreparedRequest:
    """A request that changes nothing."""
    return PreparedRequest("GET", "/b/k?x=1", {"host": "h"})


def put(body: bytes = b"content") -> PreparedRequest:
    """A request that writes."""
    return PreparedRequest("PUT", "/b/k", {"host": "h", "if-none-match": "*"}, body)


@pytest.mark.parametrize("piece", [1, 7, 1 << 16])
@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (WHOLE, b"hello"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + WHOLE, b"hello"),
        (CHUNKED, b"hello"),
        (b"HTTP/1.0 200 OK\r\n\r\nto the end", b"to the end"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ],
)
def test_an_answer_in_any_form_and_pieces(ask: Ask, answer: bytes, body: bytes, piece: int) -> None:
    """By length, in chunks, up to the connection's end; a byte at a time."""
    with Scripted([answer], piece=piece) as connections:
        found = ask(connections, get(), 10)
    assert found.body == body
    assert found.status in (200, 204)


def test_the_request_as_it_is_sent(ask: Ask) -> None:
    """Method, target, headers, and the length of what is written, even of nothing."""
    server = Scripted([WHOLE, WHOLE, WHOLE])
    with server as connections:
        assert ask(connections, put(), 10).headers["etag"] == '"x"'
        ask(connections, put(b""), 10)
        ask(connections, get(), 10)
    first, empty, read = server.heard
    assert first.startswith(b"PUT /b/k HTTP/1.1\r\nhost: h\r\nif-none-match: *\r\n")
    assert first.endswith(b"content-length: 7\r\n\r\ncontent")
    assert empty.endswith(b"content-length: 0\r\n\r\n")
    assert read == b"GET /b/k?x=1 HTTP/1.1\r\nhost: h\r\n\r\n"
    assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200", WHOLE[:-1], b"SSH-2.0-OpenSSH_9.2\r\n", b"\x15\x03\x01\x00\x02\x02"],
)
def test_half_an_answer_is_none(ask: Ask, answer: bytes) -> None:
    """A listing that was cut off must not look like a short one."""
    with (
        Scripted([answer]) as connections,
        pytest.raises((CutOffError, ConnectionError)),
    ):
        ask(connections, get(), 10)


def test_an_endless_answer_ends(ask: Ask) -> None:
    """Something huge where an owner object should be does not take the agent's memory."""
    with (
        Scripted([b"HTTP/1.0 200 OK\r\n\r\n" + bytes(65 << 20)]) as connections,
        pytest.raises(CutOffError, match="larger than 64 MiB"),
    ):
        ask(connections, get(), 60)


def test_silence_ends_in_time(ask: Ask) -> None:
    """A byte now and then is not enough: the whole answer has so long."""
    with _dripping() as peer, pytest.raises(TimeoutError):
        ask(ConnectionPool(peer), get(), 0.5)


@contextlib.contextmanager
def _dripping() -> Iterator[Peer]:
    listener, ended = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def drip() -> None:
        line, _ = listener.accept()
        with contextlib.suppress(OSError), line:
            for byte in WHOLE * 1000:
                if ended.wait(0.1):
                    break
                line.sendall(bytes([byte]))

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield Peer("127.0.0.1", listener.getsockname()[1], None)
    finally:
        ended.set()
        thread.join()
        listener.close()


def test_one_that_was_closed_at_rest_is_not_used(ask: Ask) -> None:
    """With a word or without."""
    for last in (GOOD_BYE, WHOLE):
        server = Scripted([last], [WHOLE])
        with server as connections:
            ask(connections, get(), 10)
            time.sleep(0.1)
            assert ask(connections, put(), 10).body == b"hello"
        assert server.connections == 2


def test_a_read_is_asked_again_when_its_connection_ends(ask: Ask) -> None:
    """Between two requests a server may close at the very moment of the second."""
    server = Scripted([WHOLE, b""], [WHOLE])
    with server as connections:
        ask(connections, get(), 10)
        assert ask(connections, get(), 10).body == b"hello"
    assert len(server.heard) == 3


def test_a_write_is_not(ask: Ask) -> None:
    """It may have been heard: a second one would lose against the first."""
    server = Scripted([WHOLE, b""], [WHOLE])
    with server as connections:
        ask(connections, get(), 10)
        with pytest.raises((CutOffError, ConnectionError)):
            ask(connections, put(), 10)
        assert len(server.heard) == 2
        ask(connections, get(), 10)


def test_a_header_that_cannot_be_sent_is_not_shown(ask: Ask) -> None:
    """It may be a token."""
    asked = PreparedRequest("GET", "/", {"host": "h", "x-amz-security-token": "se\ncret"})
    with Scripted([WHOLE], [WHOLE]) as connections:
        with pytest.raises(ValueError, match="characters") as raised:
            ask(connections, asked, 10)
        assert "cret" not in str(raised.value)
        ask(connections, get(), 10)


async def test_one_that_is_given_up_is_closed() -> None:
    """At once, by a reset: what the kernel still had of a write is not sent."""
    seen = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        seen.set()

    async with await asyncio.start_server(hold, "127.0.0.1", 0) as server:
        peer = Peer("127.0.0.1", server.sockets[0].getsockname()[1], None)
        asking = asyncio.create_task(looping.carry(ConnectionPool(peer).ask(get()), 10))
        await asyncio.sleep(0.2)
        asking.cancel()
        await asyncio.wait_for(seen.wait(), 5)
        assert asking.cancelled() or asking.cancelling()
        await asyncio.gather(asking, return_exceptions=True)


def test_loops_and_threads_share_what_rests() -> None:
    """A connection is no loop's own: a command has several, one after the other."""
    server = Scripted([WHOLE] * 6)
    with server as connections:
        for ask in (in_a_loop, blocking) * 3:
            assert ask(connections, get(), 10).body == b"hello"
    assert server.connections == 1


def test_several_at_a_time(ask: Ask) -> None:
    """Each has a connection of its own."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server, ThreadPoolExecutor(8) as pool:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        connections = ConnectionPool(Peer("127.0.0.1", server.server_address[1], None))
        targets = [f"/{number}" for number in range(40)]
        asked = [PreparedRequest("GET", target, {"host": "h"}) for target in targets]
        found = pool.map(lambda one: ask(connections, one, 10), asked)
        assert [one.body.decode() for one in found] == targets
        connections.close()
        server.shutdown()


class Slow(BaseHTTPRequestHandler):
    """Answers a GET with its path, a little later."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer."""
        time.sleep(0.01)
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.path)))
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_an_answer_before_the_whole_request_is_heard(ask: Ask) -> None:
    """A server that is overloaded answers a large write without reading it, and closes."""
    refusal = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            line, _ = listener.accept()
            with line:
                line.recv(100)
                line.sendall(refusal)
                time.sleep(0.2)

        thread = threading.Thread(target=refuse)
        thread.start()
        peer = Peer("127.0.0.1", listener.getsockname()[1], None)
        assert ask(ConnectionPool(peer), put(bytes(16 << 20)), 10).status == 503
        thread.join()


def test_words_without_end_end_in_time(ask: Ask) -> None:
    """What always has something to read must not outlast the request's time."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def chatter() -> None:
            line, _ = listener.accept()
            with line, contextlib.suppress(OSError):
                while True:
                    line.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)

        thread = threading.Thread(target=chatter)
        thread.start()
        peer = Peer("127.0.0.1", listener.getsockname()[1], None)
        with pytest.raises(TimeoutError):
            ask(ConnectionPool(peer), get(), 0.5)
        thread.join(10)
        assert not thread.is_alive()


def test_what_was_received_is_not_shown(ask: Ask) -> None:
    """A port that says everything back would put a token into the log."""
    with (
        Scripted([b"POST /?WebIdentityToken=eyJsecret HTTP/1.1\r\n\r\n"]) as connections,
        pytest.raises(CutOffError) as raised,
    ):
        ask(connections, get(), 10)
    assert "eyJ" not in str(raised.value)


def test_a_burst_leaves_no_connections() -> None:
    """Those below the newest are let go too."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server, ThreadPoolExecutor(8) as pool:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        connections = ConnectionPool(Peer("127.0.0.1", server.server_address[1], None), rests_s=0.3)
        [*pool.map(lambda _: blocking(connections, get(), 10), range(40))]
        for _ in range(5):
            time.sleep(0.1)
            blocking(connections, get(), 10)
        assert connections.resting == 1
        connections.close()
        server.shutdown()


def test_the_first_address_that_answers(ask: Ask) -> None:
    """Those that refuse are passed over; where all do, the last one says why."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        nobody = gone.getsockname()
    server = Scripted([WHOLE])
    with server:
        good = ("127.0.0.1", server.port)
        assert ask(Named([nobody, nobody, good]), get(), 10).body == b"hello"
    with pytest.raises(ConnectionRefusedError):
        ask(Named([nobody, nobody]), get(), 10)


class Named(ConnectionPool):
    """Connections to a name that has these addresses."""

    def __init__(self, addresses: list[tuple[str, int]]) -> None:
        super().__init__(Peer("name.invalid", 1, None))
        tcp = (socket.AF_INET, socket.SOCK_STREAM, 0)
        self._addresses = [(*tcp, where) for where in addresses]

    def ask(self, asked: PreparedRequest) -> Steps[Reply]:
        """Ask as they do, and answer what only a name server could."""
        steps = super().ask(asked)
        step = next(steps)
        try:
            while True:
                if isinstance(step, Resolve):
                    step = steps.send(self._addresses)
                    continue
                try:
                    done = yield step
                except BaseException as raised:  # noqa: BLE001 (handed on)
                    step = steps.throw(raised)
                else:
                    step = steps.send(done)
        except StopIteration as end:
            found: Reply = end.value
            return found
