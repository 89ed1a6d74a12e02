"""Connections to one server; idle ones are used again."""

import math
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from walsup.archive.storage.s3.exchange import PreparedRequest, Reply, exchange
from walsup.archive.storage.s3.lines import CutOffError, Line, Plain, Tls
from walsup.archive.storage.s3.steps import Address, Connect, Peer, Resolve, Steps

# Servers close after 5 s and more, which is noticed; a firewall in between drops silently.
_RESTS_S = 10.0
# How long an address is tried while there are others.
_ADDRESS_S = 1.5
_AT_ONCE = struct.pack("ii", 1, 0)


class ConnectionPool:
    """Sends requests to one peer; several threads, or tasks of any loop, may use it at a time."""

    def __init__(self, peer: Peer, rests_s: float = _RESTS_S) -> None:
        """`rests_s`: how long a connection may be idle."""
        self._peer = peer
        self._rests_s = rests_s
        self._resting: list[tuple[Line, float]] = []

    @property
    def resting(self) -> int:
        """Return the number of idle connections."""
        return len(self._resting)

    def close(self) -> None:
        """Close the idle connections."""
        while line := self._rested():
            line.sock.close()

    def ask(self, asked: PreparedRequest) -> Steps[Reply]:
        """Return the answer.

        Raises:
            OSError: there is no connection, of its kinds TimeoutError, socket.gaierror and
            ssl.SSLError. CutOffError: it ended. UnsendableError: a header cannot be sent.
        """
        if line := self._rested():
            # It may end at this moment. A write may have arrived nevertheless: its caller reads the
            # object.
            harmless = (CutOffError, ConnectionError) if asked.method == "GET" else ()
            with suppress(*harmless):
                return (yield from self._over(line, asked))
        return (yield from self._over((yield from self._connected()), asked))

    def _connected(self) -> Steps[Line]:
        """Connect to the first address that answers."""
        *others, last = yield Resolve(self._peer)
        for address in others:
            with suppress(OSError):
                return (yield from self._connected_to(address, _ADDRESS_S))
        return (yield from self._connected_to(last, math.inf))

    def _connected_to(self, address: Address, at_most_s: float) -> Steps[Line]:
        *kind, where = address
        sock = _Socket(*kind)
        with _closed_if_it_fails(sock):
            yield Connect(sock, where, at_most_s)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            trust = self._peer.trust
            line = Tls(sock, trust, self._peer.host) if trust else Plain(sock)
            yield from line.open()
        return line

    def _over(self, line: Line, asked: PreparedRequest) -> Steps[Reply]:
        with _closed_if_it_fails(line.sock):
            answer = yield from exchange(line, asked)
        if answer.keeps:
            self._resting.append((line, time.monotonic()))
            self._let_go()
        else:
            line.sock.close()
        return answer

    def _let_go(self) -> None:
        """Close those that were idle for too long: the newest is used first, others stay."""
        with suppress(IndexError):  # another thread was faster
            while time.monotonic() - self._resting[0][1] > self._rests_s:
                self._resting.pop(0)[0].sock.close()

    def _rested(self) -> Line | None:
        """Return an idle connection that the other side has not closed, if there is one."""
        while self._resting:
            with suppress(IndexError):  # another thread was faster
                line, since_s = self._resting.pop()
                if time.monotonic() - since_s < self._rests_s and _is_quiet(line.sock):
                    return line
                line.sock.close()
        return None


class _Socket(socket.socket):
    """Closes without a warning when it is no longer referenced."""

    def __del__(self) -> None:
        self.close()


def _is_quiet(sock: socket.socket) -> bool:
    """Return whether the other side has sent nothing, not even an end of the connection."""
    try:
        sock.setblocking(False)  # noqa: FBT003 (socket's own word)
        sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


@contextmanager
def _closed_if_it_fails(sock: socket.socket) -> Iterator[None]:
    """Close it so that the kernel sends nothing more of a request that was abandoned."""
    try:
        yield
    except BaseException:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        sock.close()
        raise
