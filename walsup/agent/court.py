"""The socket in the run directory on which restore_command's messenger asks what a miss means."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

from walsup import log
from walsup.archive.fetching import JUDGE_SOCKET

# The name of a WAL file and where it is wanted; gives restore_command's exit code.
Answer = Callable[[str, Path], Awaitable[int]]


async def serve(run_dir: Path, answer: Answer) -> None:
    """Answer until cancelled."""
    path = run_dir / JUDGE_SOCKET
    path.unlink(missing_ok=True)

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _one(answer, reader, writer)
        except (OSError, ValueError, KeyError) as fault:
            log.warning("judge.unanswered", problem=str(fault))
        finally:
            writer.close()

    server = await asyncio.start_unix_server(one, str(path))
    path.chmod(0o600)
    try:
        await asyncio.Event().wait()
    finally:
        server.close()


async def _one(answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    question = json.loads(await reader.readline())
    found = asyncio.ensure_future(answer(question["name"], Path(question["path"])))
    # postgres was stopped, or is tired of waiting: nobody waits for the answer any more.
    gone = asyncio.ensure_future(reader.read(1))
    await asyncio.wait((found, gone), return_when=asyncio.FIRST_COMPLETED)
    gone.cancel()
    if not found.done():
        found.cancel()
        return
    writer.write(f"{found.result()}\n".encode())
    await writer.drain()
