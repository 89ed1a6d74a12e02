"""What `exchange` wants done, and `blocking` and `looping` do."""

import socket
import ssl
from collections.abc import Generator
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")
PIECE = 1 << 16


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
