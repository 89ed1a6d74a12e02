"""Steps of `exchange` carried out where one thread waits for nothing else."""

import socket
import time
from contextlib import suppress
from typing import TypeVar, assert_never

from walsup.archive.s3.steps import (
    ADDRESS_S,
    PIECE,
    Address,
    Connect,
    Peer,
    Receive,
    Send,
    Step,
    Steps,
    resolve,
)

T = TypeVar("T")


def carry(steps: Steps[T], timeout_s: float) -> T:
    """Give what the steps lead to, within so long; resolving a name may take longer.

    Raises:
        what the steps raise; OSError.
    """
    deadline_s = time.monotonic() + timeout_s
    try:
        step = next(steps)
        while True:
            try:
                done = _do(step, deadline_s)
            except BaseException as raised:  # noqa: BLE001 (whoever wants the step decides)
                step = steps.throw(raised)
            else:
                step = steps.send(done)
    except StopIteration as end:
        found: T = end.value
        return found


def _do(step: Step, deadline_s: float) -> object:
    match step:
        case Connect(peer):
            return _connect(peer, deadline_s)
        case Send(sock, data):
            sock.settimeout(_left_s(deadline_s))
            sock.sendall(data)
            return None
        case Receive(sock):
            sock.settimeout(_left_s(deadline_s))
            return sock.recv(PIECE)
        case never:
            assert_never(never)


def _connect(peer: Peer, deadline_s: float) -> socket.socket:
    """Connect to the first address that answers."""
    *others, last = resolve(peer)
    for address in others:
        with suppress(OSError):
            return _connect_to(address, min(_left_s(deadline_s), ADDRESS_S))
    return _connect_to(last, _left_s(deadline_s))


def _connect_to(address: Address, timeout_s: float) -> socket.socket:
    family, kind, protocol, _, where = address
    sock = socket.socket(family, kind, protocol)
    try:
        sock.settimeout(timeout_s)
        sock.connect(where)
    except BaseException:
        sock.close()
        raise
    return sock


def _left_s(deadline_s: float) -> float:
    if (left_s := deadline_s - time.monotonic()) <= 0:
        raise TimeoutError("timed out")
    return left_s
