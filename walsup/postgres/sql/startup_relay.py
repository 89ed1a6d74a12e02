"""A unix socket in front of postgres's own, which adds settings to each startup packet.

An engine opens its own sessions, and not all of their settings can be passed to it. Source:
PostgreSQL 15, protocol 3.0, "Message Formats", StartupMessage; postmaster.c.
"""

import asyncio
import contextlib
import os
import struct
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

_SSL, _GSS = 80877103, 80877104
_PROTOCOL_MAJOR = 3
_LONGEST_PACKET = 10000
_PIECE = 1 << 16
_BEGINS_WITHIN_S = 10.0
_HEAD = struct.Struct(">II")


@contextlib.asynccontextmanager
async def relay(
    server_socket: Path, directory: Path, port: int, settings: Mapping[str, str]
) -> AsyncIterator[None]:
    """Relay while the block runs; the socket lies in `directory`, as PGHOST has it.

    The directory is created, for this user alone, and an earlier relay's socket is removed from it.

    Raises:
        OSError: the socket cannot be created.
    """
    path = await asyncio.to_thread(_place, directory, port)
    conversations: set[asyncio.Task[None]] = set()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_converse(reader, writer, server_socket, settings))
        conversations.add(task)
        task.add_done_callback(conversations.discard)

    server = await asyncio.start_unix_server(begin, path)
    try:
        path.chmod(0o600)
        yield
    finally:
        server.close()
        for task in conversations:
            task.cancel()
        await asyncio.gather(*conversations, return_exceptions=True)
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108 (asyncio of 3.13 has removed it already)


def _place(directory: Path, port: int) -> Path:
    directory.mkdir(mode=0o700, exist_ok=True)
    path = directory / f".s.PGSQL.{port}"
    path.unlink(missing_ok=True)
    return path


def with_settings(packet: bytes, settings: Mapping[str, str]) -> bytes:
    """Return a startup packet with these settings appended; other packets unchanged."""
    _, code = _HEAD.unpack_from(packet)
    if code >> 16 != _PROTOCOL_MAJOR or not packet.endswith(b"\0"):
        return packet
    pairs = b"".join(
        name.encode() + b"\0" + value.encode() + b"\0" for name, value in settings.items()
    )
    body = packet[_HEAD.size : -1] + pairs + b"\0"
    return _HEAD.pack(_HEAD.size + len(body), code) + body


async def _converse(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    server_socket: Path,
    settings: Mapping[str, str],
) -> None:
    with contextlib.closing(writer), contextlib.suppress(OSError, EOFError, ValueError):
        async with asyncio.timeout(_BEGINS_WITHIN_S):
            packet = await _first_packet(reader, writer)
            answers, server = await asyncio.open_unix_connection(str(server_socket))
        with contextlib.closing(server):
            server.write(with_settings(packet, settings))
            pumps = [
                asyncio.ensure_future(_pump(reader, server)),
                asyncio.ensure_future(_pump(answers, writer)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)


async def _first_packet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Return the packet that begins a session; encryption is declined, as on a unix socket."""
    while True:
        head = await reader.readexactly(_HEAD.size)
        length, code = _HEAD.unpack(head)
        if not _HEAD.size <= length <= _LONGEST_PACKET:
            raise ValueError("not a startup packet")
        packet = head + await reader.readexactly(length - _HEAD.size)
        if code not in (_SSL, _GSS):
            return packet
        writer.write(b"N")


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while piece := await source.read(_PIECE):
        sink.write(piece)
        await sink.drain()
