"""Sockets in the run directory on which restore_command's programs ask the agent."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_LONGEST_LINE_BYTES = 64 << 20


@contextlib.asynccontextmanager
async def served(run_dir: Path, name: str, serve: Serve) -> AsyncIterator[None]:
    """Serve clients on a socket for as long as the block lasts."""
    path = run_dir / name
    path.unlink(missing_ok=True)

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_unix_server(one, str(path), limit=_LONGEST_LINE_BYTES)
    path.chmod(0o600)
    try:
        yield
    finally:
        server.close()


async def unless_gone(client: asyncio.StreamReader, work: Awaitable[T]) -> T | None:
    """Return the result of the work; None when the client disconnects first: cancel the work.

    Raises:
        what the work raises.
    """
    found = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(client.read(1))
    try:
        await asyncio.wait((found, gone), return_when=asyncio.FIRST_COMPLETED)
        return found.result() if found.done() else None
    finally:
        for task in (found, gone):
            task.cancel()
        # Only one reader at a time may wait for the client.
        await asyncio.gather(found, gone, return_exceptions=True)
