"""Connections, with TLS and without. No I/O: OpenSSL encrypts in memory."""

import socket
import ssl
from collections.abc import Callable
from typing import Protocol, TypeVar

from walsup.archive.storage.s3.steps import PIECE, Receive, Send, Steps

T = TypeVar("T")
_CUT_OFF = "UNEXPECTED_EOF_WHILE_READING"


class CutOffError(Exception):
    """The connection ended, or the other side did not speak HTTP, before the answer was complete.

    `before_anything`: nothing was received.
    """

    before_anything = False


class Line(Protocol):
    """A connection."""

    sock: socket.socket

    @property
    def is_clear(self) -> bool:
        """Return whether everything that was received has been read."""

    def open(self) -> Steps[None]:
        """Prepare the connection before anything is sent."""

    def send(self, data: bytes) -> Steps[None]:
        """Send all of it."""

    def receive(self) -> Steps[bytes]:
        """Return a piece, b"" at the end."""


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
        """Return it as it is."""
        data: bytes = yield Receive(self.sock)
        return data


class Tls:
    """A connection with TLS."""

    def __init__(self, sock: socket.socket, trust: ssl.SSLContext, host: str) -> None:
        """`host`: the host that the certificate must name."""
        self.sock = sock
        self._received, self._to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = trust.wrap_bio(self._received, self._to_send, server_hostname=host)

    @property
    def is_clear(self) -> bool:
        """Return whether everything that was received has been decrypted and read."""
        return not self._received.pending and not self._tls.pending()

    def open(self) -> Steps[None]:
        """Do the TLS handshake; raises ssl.SSLError."""
        yield from self._until_done(self._tls.do_handshake)

    def send(self, data: bytes) -> Steps[None]:
        """Send it encrypted."""
        yield from self._until_done(lambda: self._tls.write(data))

    def receive(self) -> Steps[bytes]:
        """Return it decrypted; raises CutOffError for an end that TLS does not announce."""
        try:
            return (yield from self._until_done(lambda: self._tls.read(PIECE)))
        except ssl.SSLZeroReturnError:
            return b""
        except ssl.SSLError as raised:
            # Python 3.11 has no separate class for it.
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
