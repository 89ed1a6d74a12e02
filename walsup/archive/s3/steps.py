"""What `exchange` and `connections` want done, and `blocking` and `looping` do."""

import socket
import ssl
from collections.abc import Generator
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")
PIECE = 1 << 16
# How long an address is tried while there are others.
ADDRESS_S = 1.5

Address = tuple[Any, ...]  # as getaddrinfo gives them


class Peer(NamedTuple):
    """Where to connect. `trust`: whose certificates count; None: without TLS."""

    host: str
    port: int
    trust: ssl.SSLContext | None


class Connect(NamedTuple):
    """Connect, and give the socket."""

    peer: Peer


class Send(NamedTuple):
    """Send it whole."""

    sock: socket.socket
    data: bytes


class Receive(NamedTuple):
    """Give up to PIECE bytes; b"" at the end."""

    sock: socket.socket


Step = Connect | Send | Receive
Steps = Generator[Step, Any, T]


def resolve(peer: Peer, flags: int = 0) -> list[Address]:
    """Give the addresses of a name. Blocks, for half a minute where no name server answers.

    Raises:
        socket.gaierror: there are none. UnicodeError, OverflowError: it is no name, no port.
    """
    return [*socket.getaddrinfo(peer.host, peer.port, type=socket.SOCK_STREAM, flags=flags)]
