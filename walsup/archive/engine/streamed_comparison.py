"""Compares an archived file with one of pg_wal while the engine reads it, without disk space."""

import asyncio
import contextlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from walsup.archive.engine.output import classify_output
from walsup.archive.engine.run_once import ABANDON_AFTER_KILL_S, environment
from walsup.archive.faults import FaultError
from walsup.system.prctl import die_with_parent

_CHUNK_BYTES = 1 << 16
_TOLD_BYTES = 1 << 14


async def same(argv: Sequence[str], path: Path, timeout_s: float, secrets: Iterable[str]) -> bool:
    """Return whether `argv` writes the bytes of a file to its output; `secrets` are removed.

    Raises:
        FaultError: it failed, or took too long; OSError: the file cannot be read.
    """
    parent = os.getpid()
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(),
        limit=_CHUNK_BYTES,
        preexec_fn=lambda: die_with_parent(parent),
    )
    if process.stdout is None or process.stderr is None:
        raise RuntimeError("a process without its pipes")
    told = asyncio.create_task(_last_of(process.stderr))
    code: int | None = None
    equal_bytes: int | None = 0
    try:
        async with asyncio.timeout(timeout_s):
            equal_bytes = await _equal_bytes(process.stdout, path)
            if equal_bytes is None:
                return False
            code = await process.wait()
    except TimeoutError:
        code = None
    finally:
        if process.returncode is None:
            process.kill()
        with contextlib.suppress(TimeoutError):  # a process that ignores KILL hangs in the kernel
            async with asyncio.timeout(ABANDON_AFTER_KILL_S):
                await process.wait()
        said = await _ended(told)
    if code == 0:
        return equal_bytes == os.stat(path).st_size  # noqa: PTH116 (as fast as it can be)
    fault = classify_output(said, secrets)
    why = f"it did not end within {timeout_s:g} s" if code is None else f"{code}"
    raise FaultError(
        fault._replace(
            problem=f"{path.name} could not be read to compare it ({why}): {fault.problem}"
        )
    )


async def _equal_bytes(stream: asyncio.StreamReader, path: Path) -> int | None:
    """Return how many bytes the stream has, all equal to the file's; None if one is not."""
    equal = 0
    with path.open("rb") as file:
        while chunk := await stream.read(_CHUNK_BYTES):
            if file.read(len(chunk)) != chunk:
                return None
            equal += len(chunk)
    return equal


async def _last_of(stream: asyncio.StreamReader) -> str:
    text = b""
    while chunk := await stream.read(_CHUNK_BYTES):
        text = (text + chunk)[-_TOLD_BYTES:]
    return text.decode(errors="replace")


async def _ended(told: "asyncio.Task[str]") -> str:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ABANDON_AFTER_KILL_S):
            return await told
    return ""
