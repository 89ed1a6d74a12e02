"""Limits the connections that are open at a time: the longest idle one makes room.

Every connection is accepted, so a probe gets through however many connections are held
open. A descriptor is closed before the next one is accepted, so the lease, the bucket and the
database keep theirs.
"""

import asyncio
import resource
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from walsup.agent.repeated_errors import REPEATS

MOST_CONNECTIONS = 64
# HTTP uses at most this part of the descriptors that this process may have.
_PART_OF_DESCRIPTORS = 8
_FEWEST = 4
_WITHOUT_DESCRIPTORS_S = 0.5


class ClientConnection:
    """One client's connection. `waits_since_s`: since when it waits for that client alone."""

    def __init__(self, sock: socket.socket, peer: str) -> None:
        self.sock = sock
        self.peer = peer
        self.waits_since_s: float | None = time.monotonic()
        self.task: asyncio.Task[None] | None = None

    def wait_for_client(self) -> None:
        """Note that nothing is done for this connection until its client does something."""
        self.waits_since_s = time.monotonic()

    def is_served(self) -> None:
        """Note that an answer is being made."""
        self.waits_since_s = None


def may_have(most: int) -> int:
    """Return how many connections this process can afford, `most` at the most."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return most
    return max(_FEWEST, min(most, limit // _PART_OF_DESCRIPTORS))


def longest_idle(connections: set[ClientConnection]) -> ClientConnection | None:
    """Return the connection that makes room, None while all are being served.

    It is one of the address that has the most connections: a flood closes its own connections.
    """
    held = Counter(connection.peer for connection in connections)
    waiting = [c for c in connections if c.waits_since_s is not None]
    return min(waiting, key=lambda c: (-held[c.peer], c.waits_since_s), default=None)


class ConnectionLimit:
    """Accepts connections at a listening socket, and serves `most` of them at a time."""

    def __init__(self, most: int, converse: Callable[[ClientConnection], Awaitable[None]]) -> None:
        self._most = may_have(most)
        self._converse = converse
        self._open: set[ClientConnection] = set()

    async def accept_at(self, listener: socket.socket) -> None:
        """Accept until cancelled; the listener and all connections are closed then."""
        try:
            while True:
                await self._make_room()
                await self._accept(listener)
                await asyncio.sleep(0)  # a flood must not keep the loop from its other work
        finally:
            listener.close()
            tasks = [connection.task for connection in self._open if connection.task]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _make_room(self) -> None:
        while len(self._open) >= self._most:
            oldest = longest_idle(self._open)
            if oldest is not None and oldest.task is not None:
                oldest.task.cancel()
                await asyncio.wait({oldest.task})
            else:
                tasks = [connection.task for connection in self._open if connection.task]
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)

    async def _accept(self, listener: socket.socket) -> None:
        try:
            sock, address = await _accepted(listener)
        except ConnectionError:
            return  # the client has given up meanwhile
        except OSError as refused:
            REPEATS.error("http.not_accepted", str(refused.errno), problem=str(refused))
            await asyncio.sleep(_WITHOUT_DESCRIPTORS_S)
            return
        connection = ClientConnection(sock, str(address[0]) if address else "")
        connection.task = asyncio.create_task(self._hold(connection))
        self._open.add(connection)
        # Not in the task itself: a task that is cancelled before its first step runs no line.
        connection.task.add_done_callback(lambda _: self._close(connection))

    def _close(self, connection: ClientConnection) -> None:
        connection.sock.close()
        self._open.discard(connection)

    async def _hold(self, connection: ClientConnection) -> None:
        try:
            await self._converse(connection)
        except (OSError, asyncio.CancelledError):  # TimeoutError is one
            pass
        except Exception as raised:  # noqa: BLE001 (one connection must not end the others)
            REPEATS.exception("http.failed", raised)


async def _accepted(listener: socket.socket) -> tuple[socket.socket, Any]:
    """Return the next connection; `loop.sock_accept` fails noisily when it is cancelled."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    while True:
        try:
            sock, address = listener.accept()
        except BlockingIOError:
            ready.clear()
            loop.add_reader(listener, ready.set)
            try:
                await ready.wait()
            finally:
                loop.remove_reader(listener)
        else:
            sock.settimeout(0)
            return sock, address
