"""Requests to the engine's daemon over its unix socket, without its client.

A request is type, total length (u16, big-endian) and body; an answer begins with one letter.
WAL-RUS sends two more bytes after it, WAL-G none: one byte is read, for both. The body of a fetch
is the number of its arguments, and each with its length (u16) before it.
"""

import asyncio
import struct
import time
from pathlib import Path
from typing import NamedTuple

FETCH = b"f"
OK = b"O"
_CHECK = b"C"
_PUSH = b"F"
_HEADER = struct.Struct(">cH")
_LENGTH = struct.Struct(">H")
_LOOK_EVERY_S = 0.1


async def ask(socket: Path, kind: bytes, argument: str, timeout_s: float) -> bool:
    """Send one request; return True when the daemon confirms it in time, otherwise False."""
    body = argument.encode()
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            try:
                writer.write(_HEADER.pack(kind, _HEADER.size + len(body)) + body)
                await writer.drain()
                return await reader.read(1) == OK
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


class DaemonRequest(NamedTuple):
    """A request of a client: its type, its body, and all of its bytes."""

    kind: bytes
    body: bytes
    content: bytes

    def arguments(self) -> list[str]:
        """Return the arguments of a fetch.

        Raises:
            IndexError, struct.error: the body is not a fetch.
        """
        found, at = [], 1
        for _ in range(self.body[0]):
            (length,) = _LENGTH.unpack_from(self.body, at)
            at += _LENGTH.size
            found.append(self.body[at : at + length].decode(errors="surrogateescape"))
            at += length
        return found


async def read_request(reader: asyncio.StreamReader) -> DaemonRequest:
    """Read a client's request.

    Raises:
        EOFError: the client has closed; OSError; ValueError: a request cannot have that length.
    """
    header = await reader.readexactly(_HEADER.size)
    kind, length = _HEADER.unpack(header)
    body = await reader.readexactly(length - _HEADER.size)
    return DaemonRequest(kind, body, header + body)


async def check(socket: Path, timeout_s: float = 1.0) -> bool:
    """Return whether a daemon answers. It proves nothing about the bucket."""
    return await ask(socket, _CHECK, "", timeout_s)


async def answers(socket: Path, timeout_s: float) -> bool:
    """Return whether a daemon answers in time; one that has just started is waited for."""
    deadline_s = time.monotonic() + timeout_s
    while (left_s := deadline_s - time.monotonic()) > 0:
        if await check(socket, left_s):
            return True
        await asyncio.sleep(_LOOK_EVERY_S)
    return False


async def push(socket: Path, name: str, timeout_s: float) -> bool:
    """Push a file of pg_wal by its name; return True when the daemon reports the upload."""
    return await ask(socket, _PUSH, name, timeout_s)
