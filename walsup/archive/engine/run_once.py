"""Runs the engine once: its output goes to a file, it dies with the agent, it has a deadline."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from walsup.system.prctl import die_with_parent
from walsup.system.private_files import open_private

TERM_PATIENCE_S = 2.0
ABANDON_AFTER_KILL_S = 1.0
# The engine's secrets are in its 0600 configuration; it needs only these.
_SEEN = ("PATH", "HOME", "TZ", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR")


def environment() -> dict[str, str]:
    """Return the variables that an engine gets."""
    return {name: os.environ[name] for name in _SEEN if name in os.environ} | {"NO_COLOR": "1"}


async def run(  # noqa: PLR0913 (each is one fact)
    argv: Sequence[str],
    output: Path,
    *,
    timeout_s: float | None = None,
    cancelled: asyncio.Event | None = None,
    inherit: tuple[int, ...] = (),
    more: Mapping[str, str] = MappingProxyType({}),
) -> int:
    """Run `argv` to its end; return its exit code, -n when signal n ended it.

    `inherit`: descriptors that stay open in it, as the data directory's lock does (rule
    directory-lock). `more`: variables besides those that every engine sees.

    When the time is over, or `cancelled` is set, it gets TERM and, 2 s later, KILL.
    """
    parent = os.getpid()
    with open_private(output) as file:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=file,
            stderr=asyncio.subprocess.STDOUT,
            env=environment() | dict(more),
            pass_fds=inherit,
            preexec_fn=lambda: die_with_parent(parent),
        )
    ended = asyncio.ensure_future(process.wait())
    cancel = asyncio.ensure_future((cancelled or asyncio.Event()).wait())
    try:
        await asyncio.wait((ended, cancel), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            process.terminate()
            await asyncio.wait((ended,), timeout=TERM_PATIENCE_S)
    finally:
        cancel.cancel()
        if not ended.done():
            process.kill()
    # A process that ignores KILL hangs in the kernel, perhaps in an archive's file system (rule
    # hung-filesystem).
    await asyncio.wait((ended,), timeout=ABANDON_AFTER_KILL_S)
    return ended.result() if ended.done() else -signal.SIGKILL
