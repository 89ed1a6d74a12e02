"""The steps of a request: resolve, connect, send, receive.

`server`, `keys`, `region`, `connections`, `exchange` and `lines` do no I/O: they are generators of
such steps, which `looping` runs in an event loop and `blocking` in a thread.
"""

import socket
import ssl
from collections.abc import Generator
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")
PIECE = 1 << 16

# Family, kind and protocol of a socket, and where to connect it.
Address = tuple[int, int, int, Any]


class Peer(NamedTuple):
    """Where to connect. `trust`: the trusted certificates; None: without TLS."""

    host: str
    port: int
    trust: ssl.SSLContext | None


class Resolve(NamedTuple):
    """Resolve the peer's addresses."""

    peer: Peer


class Connect(NamedTuple):
    """Connect a socket, within a timeout."""

    sock: socket.socket
    where: Any  # an address as its family has it
    at_most_s: float


class Send(NamedTuple):
    """Send all of it."""

    sock: socket.socket
    data: bytes


class Receive(NamedTuple):
    """Receive up to PIECE bytes; b"" at the end."""

    sock: socket.socket


Step = Resolve | Connect | Send | Receive
Steps = Generator[Step, Any, T]


def resolve(peer: Peer, flags: int = 0) -> list[Address]:
    """Return the addresses of a name. Blocks for half a minute if no name server answers.

    Raises:
        socket.gaierror: there are none.
        UnicodeError, OverflowError: this is not a name or port.
    """
    found = socket.getaddrinfo(peer.host, peer.port, type=socket.SOCK_STREAM, flags=flags)
    return [(family, kind, protocol, where) for family, kind, protocol, _, where in found]
