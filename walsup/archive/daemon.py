"""Requests to the engine's daemon over its unix socket, without its client.

A request is type, length of all (u16, big-endian) and body; an answer begins with one letter.
WAL-RUS sends two more bytes after it, WAL-G none: a reader for both takes one byte.
"""

import asyncio
import struct
import time
from pathlib import Path

_CHECK = b"C"
_PUSH = b"F"
_OK = b"O"
_LOOK_EVERY_S = 0.1


async def ask(socket: Path, kind: bytes, argument: str, timeout_s: float) -> bool:
    """Send one request; True when the daemon says so within the time, False in any other case."""
    body = argument.encode()
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            try:
                writer.write(kind + struct.pack(">H", 3 + len(body)) + body)
                await writer.drain()
                return await reader.read(1) == _OK
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


async def check(socket: Path, timeout_s: float = 1.0) -> bool:
    """Tell whether a daemon answers. It proves nothing about the bucket."""
    return await ask(socket, _CHECK, "", timeout_s)


async def answers(socket: Path, timeout_s: float) -> bool:
    """Tell whether a daemon answers within the time; one that has just started is waited for."""
    deadline_s = time.monotonic() + timeout_s
    while (left_s := deadline_s - time.monotonic()) > 0:
        if await check(socket, left_s):
            return True
        await asyncio.sleep(_LOOK_EVERY_S)
    return False


async def push(socket: Path, name: str, timeout_s: float) -> bool:
    """Push a file of pg_wal by its name; True when the daemon says that it is uploaded."""
    return await ask(socket, _PUSH, name, timeout_s)
