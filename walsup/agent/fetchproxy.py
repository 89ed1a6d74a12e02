"""The socket through which restore_command's client asks the reader daemon for a file.

Requests and answers are passed on as they are, but a fetched segment is looked into before its
answer is: when it creates tablespaces there is no answer, the client fails, and the messenger asks
the judge. In the agent, because a program started for each segment costs more than the fetch.
"""

import asyncio
import contextlib
import struct
from pathlib import Path

from walsup import log
from walsup.archive.fetching import PROXY_SOCKET, READER_SOCKET
from walsup.postgres import segmentlook

_HEADER = struct.Struct(">cH")  # type, length of all
_ARGUMENT = struct.Struct(">H")
_FETCH, _OK = b"f", b"O"
_LONGEST_ANSWER_BYTES = 64


async def serve(run_dir: Path, pgdata: Path) -> None:
    """Pass requests on until cancelled."""
    path = run_dir / PROXY_SOCKET
    path.unlink(missing_ok=True)

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Without an answer the client fails, and the judge is asked.
        try:
            await _one(run_dir / READER_SOCKET, pgdata, reader, writer)
        except (OSError, ValueError, EOFError, struct.error) as fault:
            log.warning("fetch.not_passed_on", problem=str(fault))
        finally:
            writer.close()

    server = await asyncio.start_unix_server(one, str(path))
    path.chmod(0o600)
    try:
        await asyncio.Event().wait()
    finally:
        server.close()


async def _one(
    socket: Path, pgdata: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    header = await reader.readexactly(_HEADER.size)
    kind, length = _HEADER.unpack(header)
    body = await reader.readexactly(length - _HEADER.size)
    daemon_reader, daemon = await asyncio.open_unix_connection(str(socket))
    try:
        daemon.write(header + body)
        answer = await _unless_gone(reader, daemon_reader)
        if kind == _FETCH and answer[:1] == _OK and await _creates(pgdata, body):
            return
        while answer:
            writer.write(answer)
            await writer.drain()
            answer = await _unless_gone(reader, daemon_reader)
    finally:
        daemon.close()


async def _unless_gone(client: asyncio.StreamReader, daemon: asyncio.StreamReader) -> bytes:
    """Return what the daemon says next, b"" when it or the client has closed."""
    said = asyncio.ensure_future(daemon.read(_LONGEST_ANSWER_BYTES))
    gone = asyncio.ensure_future(client.read(1))
    try:
        await asyncio.wait((said, gone), return_when=asyncio.FIRST_COMPLETED)
        return said.result() if said.done() else b""
    finally:
        for task in (said, gone):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await task


async def _creates(pgdata: Path, body: bytes) -> bool:
    """Return whether a fetched file is a segment that creates tablespaces."""
    name, target = _arguments(body)
    path = pgdata / target  # the client runs in the data directory
    return bool(await asyncio.to_thread(segmentlook.created, name, str(path)))


def _arguments(body: bytes) -> list[str]:
    """Return the arguments of a request: their number, and each with its length before it.

    Raises:
        ValueError, struct.error: it is no fetch.
    """
    found, at = [], 1
    for _ in range(body[0]):
        (length,) = _ARGUMENT.unpack_from(body, at)
        at += _ARGUMENT.size
        found.append(body[at : at + length].decode(errors="surrogateescape"))
        at += length
    return found
