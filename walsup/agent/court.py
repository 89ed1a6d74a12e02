"""The socket in the run directory on which restore_command's messenger asks.

It asks what a miss means, and whether a segment that creates tablespaces may be replayed.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

from walsup import log
from walsup.agent import fetchproxy
from walsup.archive.fetching import JUDGE_SOCKET
from walsup.errors import WalsupError
from walsup.postgres.spacerecords import Created

_LONGEST_QUESTION_BYTES = 64 << 20

# The name of a WAL file and where it is wanted; gives restore_command's exit code.
Answer = Callable[[str, Path], Awaitable[int]]
# Those of a fetched segment, and the tablespaces that it creates; gives that exit code.
Admit = Callable[[str, Path, list[Created]], Awaitable[int]]


async def serve(run_dir: Path, pgdata: Path, answer: Answer, admit: Admit) -> None:
    """Answer until cancelled, and pass fetches on."""
    path = run_dir / JUDGE_SOCKET
    path.unlink(missing_ok=True)

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _one(answer, admit, reader, writer)
        except (OSError, ValueError, KeyError, WalsupError) as fault:
            log.warning("judge.unanswered", problem=str(fault))
        finally:
            writer.close()

    server = await asyncio.start_unix_server(one, str(path), limit=_LONGEST_QUESTION_BYTES)
    path.chmod(0o600)
    try:
        await fetchproxy.serve(run_dir, pgdata)
    finally:
        server.close()


async def _one(
    answer: Answer, admit: Admit, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    question = json.loads(await reader.readline())
    name, path = question["name"], Path(question["path"])
    created = [Created(*one) for one in question.get("created", ())]
    found = asyncio.ensure_future(admit(name, path, created) if created else answer(name, path))
    # postgres was stopped, or is tired of waiting: nobody waits for the answer any more.
    gone = asyncio.ensure_future(reader.read(1))
    await asyncio.wait((found, gone), return_when=asyncio.FIRST_COMPLETED)
    gone.cancel()
    if not found.done():
        found.cancel()
        return
    writer.write(f"{found.result()}\n".encode())
    await writer.drain()
