"""A client so small that it can ask every millisecond, the same for both sides.

Source: PostgreSQL documentation, "Frontend/Backend Protocol", message formats (protocol 3.0).
"""

import socket
import struct
import time
from collections.abc import Callable

from dev.harness import NotSeenError

_POLL_S = 0.001
_TIMEOUT_S = 60.0
_ANSWER_TIMEOUT_S = 5.0
_PROTOCOL_3 = 196608
_LOGIN = b"user\0postgres\0database\0postgres\0\0"
_QUERY = b"select 1\0"
_HEAD_BYTES = 5

_Look = Callable[[socket.socket], bool]


def wait_for_sql(port: int) -> None:
    """Return when `select 1` has given its row over TCP; the login must be `trust`."""
    _poll(port, _answers_sql)


def wait_for_reply(port: int) -> None:
    """Return when the server takes a login over TCP, a request for the password included."""
    _poll(port, _takes_login)


def _poll(port: int, look: _Look) -> None:
    deadline_s = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline_s:
        try:
            with socket.create_connection(("127.0.0.1", port), _ANSWER_TIMEOUT_S) as connection:
                if look(connection):
                    return
        except OSError:
            pass  # nobody listens yet, or it went away while it started
        time.sleep(_POLL_S)
    raise NotSeenError(f"not seen within {_TIMEOUT_S:g} s: an answer on port {port}")


def _takes_login(connection: socket.socket) -> bool:
    head = struct.pack(">ii", 8 + len(_LOGIN), _PROTOCOL_3)
    connection.sendall(head + _LOGIN)
    kind, _ = _message(connection)
    return kind == b"R"  # E: "the database system is starting up"


def _answers_sql(connection: socket.socket) -> bool:
    if not _takes_login(connection):
        return False
    _skip_to(connection, b"Z")
    connection.sendall(b"Q" + struct.pack(">i", 4 + len(_QUERY)) + _QUERY)
    _skip_to(connection, b"D")
    return True


def _skip_to(connection: socket.socket, wanted: bytes) -> None:
    while True:
        kind, body = _message(connection)
        if kind == wanted:
            return
        if kind == b"E":
            raise ConnectionError(body.decode(errors="replace"))


def _message(connection: socket.socket) -> tuple[bytes, bytes]:
    head = _read(connection, _HEAD_BYTES)
    return head[:1], _read(connection, int.from_bytes(head[1:]) - 4)


def _read(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        chunk = connection.recv(size - len(found))
        if not chunk:
            raise ConnectionError("the server closed the connection")
        found += chunk
    return found
