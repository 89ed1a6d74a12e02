"""The socket through which restore_command's client asks the reader daemon for a file.

Requests and answers are passed on unchanged, but a fetched segment is read before its answer is
sent: when it creates tablespaces there is no answer, the client fails, and the fallback program
(walsup/archive/engine/restore_client.py) asks the agent. It runs in the agent because starting a
program for each segment costs more than the fetch.
"""

import asyncio
import struct
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from walsup import log
from walsup.agent.recovery.run_socket import served, unless_gone
from walsup.archive.engine import daemon_client
from walsup.archive.engine.daemon_client import DaemonRequest
from walsup.archive.engine.restore_command import PROXY_SOCKET, READER_SOCKET
from walsup.postgres.tablespaces import in_segment

_LONGEST_ANSWER_BYTES = 64


def proxy(run_dir: Path, pgdata: Path) -> AbstractAsyncContextManager[None]:
    """Pass requests on for as long as the block lasts."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Without an answer the client fails, and the fallback program asks.
        try:
            await _pass_on(run_dir / READER_SOCKET, pgdata, reader, writer)
        except (OSError, ValueError, IndexError, EOFError, struct.error) as fault:
            log.warning("fetch.not_passed_on", problem=str(fault))
        except Exception as raised:  # noqa: BLE001 (as above)
            log.unexpected("fetch.failed", raised)

    return served(run_dir, PROXY_SOCKET, one)


async def _pass_on(
    socket: Path, pgdata: Path, client: asyncio.StreamReader, answering: asyncio.StreamWriter
) -> None:
    request = await daemon_client.read_request(client)
    reader, writer = await asyncio.open_unix_connection(str(socket))
    try:
        writer.write(request.content)
        answer = await unless_gone(client, reader.read(_LONGEST_ANSWER_BYTES))
        if answer and answer[:1] == daemon_client.OK and await _creates(pgdata, request):
            return
        while answer:
            answering.write(answer)
            await answering.drain()
            answer = await unless_gone(client, reader.read(_LONGEST_ANSWER_BYTES))
    finally:
        writer.close()


async def _creates(pgdata: Path, request: DaemonRequest) -> bool:
    """Return whether a fetched file is a segment that creates tablespaces."""
    if request.kind != daemon_client.FETCH:
        return False
    name, target = request.arguments()
    path = pgdata / target  # the client runs in the data directory
    return bool(await asyncio.to_thread(in_segment.created, name, str(path)))
