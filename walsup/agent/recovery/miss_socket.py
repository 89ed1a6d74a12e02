"""The socket in the run directory on which restore_command's fallback program asks.

It asks what a miss means, and whether a segment that creates tablespaces may be replayed. The
program is walsup/archive/engine/restore_client.py.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

from walsup import log
from walsup.agent.recovery.fetch_proxy import proxy
from walsup.agent.recovery.run_socket import served, unless_gone
from walsup.archive.engine.restore_command import MISS_SOCKET
from walsup.errors import WalsupError
from walsup.postgres.tablespaces.creation_records import Created

# The name of a WAL file and its target path; returns restore_command's exit code.
Answer = Callable[[str, Path], Awaitable[int]]
# The same of a fetched segment, and the tablespaces that it creates; returns that exit code.
Admit = Callable[[str, Path, list[Created]], Awaitable[int]]


async def serve(run_dir: Path, pgdata: Path, answer: Answer, admit: Admit) -> None:
    """Answer until cancelled, and pass fetches on."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _one(answer, admit, reader, writer)
        except (OSError, WalsupError) as fault:
            log.warning("judge.unanswered", problem=str(fault))
        except Exception as raised:  # noqa: BLE001 (one question must not end the others)
            log.unexpected("restore_command.failed", raised)

    async with served(run_dir, MISS_SOCKET, one), proxy(run_dir, pgdata):
        await asyncio.Event().wait()


async def _one(
    answer: Answer, admit: Admit, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    question = json.loads(await reader.readline())
    name, path = question["name"], Path(question["path"])
    created = [Created(*one) for one in question.get("created", ())]
    # If postgres is stopped, or gives up, no program waits for the answer any more.
    code = await unless_gone(reader, admit(name, path, created) if created else answer(name, path))
    if code is not None:
        writer.write(f"{code}\n".encode())
        await writer.drain()
