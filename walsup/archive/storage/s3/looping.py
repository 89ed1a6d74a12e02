"""Runs steps in an event loop.

It uses sockets, not asyncio's transports: an idle connection may be used in another loop.
"""

import asyncio
import socket
import threading
from contextlib import suppress
from typing import TypeVar, assert_never

from walsup.archive.storage.s3.steps import (
    PIECE,
    Address,
    Connect,
    Peer,
    Receive,
    Resolve,
    Send,
    Step,
    Steps,
    resolve,
)

T = TypeVar("T")


async def carry(steps: Steps[T], timeout_s: float) -> T:
    """Return the result of the steps, within a timeout.

    Raises:
        what the steps raise; OSError.
    """
    deadline_s = asyncio.get_running_loop().time() + timeout_s
    try:
        step = next(steps)
        while True:
            try:
                # Each step has its own deadline, so that its caller learns which one was too slow.
                async with asyncio.timeout_at(deadline_s):
                    await asyncio.sleep(0)  # a step that never waits must let others run
                    done = await _do(step)
            except BaseException as raised:  # noqa: BLE001 (the step's caller decides)
                step = steps.throw(raised)
            else:
                step = steps.send(done)
    except StopIteration as end:
        found: T = end.value
        return found


async def _do(step: Step) -> object:
    loop = asyncio.get_running_loop()
    match step:
        case Resolve(peer):
            return await _addresses(peer)
        case Connect(sock, where, at_most_s):
            sock.setblocking(False)  # noqa: FBT003 (socket's own word)
            async with asyncio.timeout(at_most_s):
                await loop.sock_connect(sock, where)
            return None
        case Send(sock, data):
            sock.setblocking(False)  # noqa: FBT003 (as above)
            await loop.sock_sendall(sock, data)
            return None
        case Receive(sock):
            sock.setblocking(False)  # noqa: FBT003 (as above)
            return await loop.sock_recv(sock, PIECE)
        case never:
            assert_never(never)


async def _addresses(peer: Peer) -> list[Address]:
    """Resolve the name in a separate thread.

    A resolver may hang for half a minute: in one of the executor's threads it would delay other
    work, and the end of the process.
    """
    with suppress(socket.gaierror):  # not an address
        return resolve(peer, socket.AI_NUMERICHOST)
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[Address]] = loop.create_future()

    def tell(addresses: list[Address], raised: Exception | None) -> None:
        if found.done():
            return
        if raised:
            found.set_exception(raised)
        else:
            found.set_result(addresses)

    def work() -> None:
        addresses: list[Address] = []
        failed: Exception | None = None
        try:
            addresses = resolve(peer)
        except Exception as raised:  # noqa: BLE001 (a name that is none, too)
            failed = raised
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(tell, addresses, failed)

    threading.Thread(target=work, daemon=True, name="resolver").start()
    return await found
