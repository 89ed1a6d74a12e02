"""Runs steps in a thread that waits for nothing else."""

import time
from typing import TypeVar, assert_never

from walsup.archive.storage.s3.steps import (
    PIECE,
    Connect,
    Receive,
    Resolve,
    Send,
    Step,
    Steps,
    resolve,
)

T = TypeVar("T")


def carry(steps: Steps[T], timeout_s: float) -> T:
    """Return the result of the steps, within a timeout; resolving a name may take longer.

    Raises:
        what the steps raise; OSError.
    """
    deadline_s = time.monotonic() + timeout_s
    try:
        step = next(steps)
        while True:
            try:
                done = _do(step, deadline_s - time.monotonic())
            except BaseException as raised:  # noqa: BLE001 (the step's caller decides)
                step = steps.throw(raised)
            else:
                step = steps.send(done)
    except StopIteration as end:
        found: T = end.value
        return found


def _do(step: Step, left_s: float) -> object:
    if left_s <= 0:
        raise TimeoutError("timed out")
    match step:
        case Resolve(peer):
            return resolve(peer)
        case Connect(sock, where, at_most_s):
            sock.settimeout(min(left_s, at_most_s))
            sock.connect(where)
            return None
        case Send(sock, data):
            sock.settimeout(left_s)
            sock.sendall(data)
            return None
        case Receive(sock):
            sock.settimeout(left_s)
            return sock.recv(PIECE)
        case never:
            assert_never(never)
