"""One round of the audit, carried out by a process of its own."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import Process
from typing import Any

from walsup.agent.world import World
from walsup.archive import oneshot
from walsup.archive.audit.found import Found
from walsup.archive.audit.scope import Scope
from walsup.archive.fault import Fault, FaultError
from walsup.kernel import die_with_parent, take_less

# Without any answer of the bucket for so long, the process hangs.
_SILENT_S = 60.0
_MOST_BYTES = 512 << 20
_OOM_SCORE = 900
_LONGEST_LINE = 16 << 20


async def look(world: World, scope: Scope, *, silent_s: float = _SILENT_S) -> Found:
    """Have the archive listed and compared.

    Raises:
        FaultError: it could not be.
    """
    parent = os.getpid()

    def prepare() -> None:
        die_with_parent(parent)
        take_less(_MOST_BYTES, _OOM_SCORE)

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-m", "walsup.archive.audit.worker", str(world.run_dir)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=oneshot.environment(),
        preexec_fn=prepare,
        limit=_LONGEST_LINE,
    )
    try:
        question = {"region": world.bucket.region if world.bucket else None}
        text = json.dumps(question | {"scope": scope.to_json()}).encode()
        return await _answer(process, text, silent_s)
    finally:
        if process.returncode is None:
            process.kill()
            # One that hangs in the kernel does not die of that (an archive's file system).
            await asyncio.wait((asyncio.ensure_future(process.wait()),), timeout=1.0)


async def _answer(process: Process, question: bytes, silent_s: float) -> Found:
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the audit's process has no pipes")
    process.stdin.write(question)
    process.stdin.close()
    while True:
        try:
            async with asyncio.timeout(silent_s):
                line = await process.stdout.readline()
        except TimeoutError:
            raise FaultError(
                Fault("timeout", f"the audit's listing has had no answer for {silent_s:g} s")
            ) from None
        if not line:
            code = await process.wait()
            raise FaultError(Fault("unknown", f"the audit's process ended with {code}"))
        told: dict[str, Any] = json.loads(line)
        if "fault" in told:
            raise FaultError(Fault(*told["fault"]))
        if "found" in told:
            return Found.from_json(told["found"])
