"""A request and its answer over a connection, as steps that somebody else carries out. No I/O.

h11 writes and reads HTTP and OpenSSL encrypts, both in memory; what is to be sent and received is
yielded. So the same lines serve an event loop (`looping`) and threads (`blocking`).
"""

import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple, Protocol, TypeVar

import h11

from walsup.archive.s3.steps import PIECE, Receive, Send, Steps

T = TypeVar("T")
# The largest are a page of a listing (1,000 keys, 0.5 MB) and a large cluster's sentinel.
_MOST_BYTES = 64 << 20
_CUT_OFF = "UNEXPECTED_EOF_WHILE_READING"


class CutOffError(Exception):
    """The connection ended, or the other side spoke no HTTP, before the answer was whole."""


class UnsendableError(ValueError):
    """A key or token has characters that no header may have; it is not shown."""

    def __init__(self) -> None:
        super().__init__("a key or token has characters that no header may have")


class Asked(NamedTuple):
    """A request that is ready to be sent. `headers`: all but the length."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""


class Answer(NamedTuple):
    """What came back. `headers`: names in lower case; `keeps`: the connection goes on."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    keeps: bool = False


class Line(Protocol):
    """A connection."""

    sock: socket.socket

    @property
    def is_clear(self) -> bool:
        """Whether everything that was received has been read."""

    def open(self) -> Steps[None]:
        """Do what must be done before anything is sent."""

    def send(self, data: bytes) -> Steps[None]:
        """Send it whole."""

    def receive(self) -> Steps[bytes]:
        """Give a piece, b"" at the end."""


class Plain:
    """A connection without TLS."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.is_clear = True

    def open(self) -> Steps[None]:
        """Do nothing."""
        yield from ()

    def send(self, data: bytes) -> Steps[None]:
        """Send it as it is."""
        yield Send(self.sock, data)

    def receive(self) -> Steps[bytes]:
        """Give it as it is."""
        data: bytes = yield Receive(self.sock)
        return data


class Tls:
    """A connection with TLS."""

    def __init__(self, sock: socket.socket, trust: ssl.SSLContext, host: str) -> None:
        """`host`: whose certificate it must be."""
        self.sock = sock
        self._received, self._to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = trust.wrap_bio(self._received, self._to_send, server_hostname=host)

    @property
    def is_clear(self) -> bool:
        """Whether everything that was received has been decrypted and read."""
        return not self._received.pending and not self._tls.pending()

    def open(self) -> Steps[None]:
        """Shake hands; raises ssl.SSLError."""
        yield from self._until_done(self._tls.do_handshake)

    def send(self, data: bytes) -> Steps[None]:
        """Send it encrypted."""
        yield from self._until_done(lambda: self._tls.write(data))

    def receive(self) -> Steps[bytes]:
        """Give it in the clear; raises CutOffError for an end that TLS does not tell of."""
        try:
            return (yield from self._until_done(lambda: self._tls.read(PIECE)))
        except ssl.SSLZeroReturnError:
            return b""
        except ssl.SSLError as raised:
            # Python 3.11 has no class of its own for it.
            if isinstance(raised, ssl.SSLEOFError) or raised.reason == _CUT_OFF:
                raise CutOffError("the connection was cut off") from raised
            raise

    def _until_done(self, work: Callable[[], T]) -> Steps[T]:
        while True:
            try:
                done = work()
            except ssl.SSLWantReadError:
                yield from self._flush()
                if received := (yield Receive(self.sock)):
                    self._received.write(received)
                else:
                    self._received.write_eof()
            else:
                yield from self._flush()
                return done

    def _flush(self) -> Steps[None]:
        if data := self._to_send.read():
            yield Send(self.sock, data)


def exchange(line: Line, asked: Asked) -> Steps[Answer]:
    """Send a request and give its answer.

    Raises:
        CutOffError: there is no whole one. UnsendableError: a header cannot be sent.
    """
    http = h11.Connection(h11.CLIENT)
    written = _written(http, asked)
    with suppress(ConnectionResetError, BrokenPipeError):  # it may have answered before all of it
        yield from line.send(written)
    response, body = None, bytearray()
    try:
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data((yield from line.receive()))
            elif isinstance(event, h11.Response):
                response = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > _MOST_BYTES:
                    raise CutOffError(f"the answer is larger than {_MOST_BYTES >> 20} MiB")
            elif not isinstance(event, h11.InformationalResponse):
                break  # its end, or that of the connection
    except h11.RemoteProtocolError as raised:
        said = str(raised).partition("bytearray(")[0].rstrip(": ")  # not what was received
        raise CutOffError(f"the connection was cut off: {said}") from raised
    if response is None:
        raise CutOffError("the connection was closed without an answer")
    headers = {name.decode(): value.decode("latin-1") for name, value in response.headers}
    keeps = http.our_state is h11.DONE and http.their_state is h11.DONE
    # What came behind the answer would be taken for the next one's.
    keeps = keeps and line.is_clear and http.trailing_data == (b"", False)
    return Answer(response.status_code, headers, bytes(body), keeps)


def _written(http: h11.Connection, asked: Asked) -> bytes:
    headers = dict(asked.headers)
    if asked.method in ("PUT", "POST"):
        headers["content-length"] = str(len(asked.body))
    try:
        request = h11.Request(method=asked.method, target=asked.target, headers=[*headers.items()])
        events = (request, h11.Data(data=asked.body), h11.EndOfMessage())
        return b"".join(http.send(event) or b"" for event in events)
    except (h11.LocalProtocolError, UnicodeEncodeError):
        raise UnsendableError from None  # their words show the header
