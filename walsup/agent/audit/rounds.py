"""Runs a round of the audit in a separate process."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import Process
from signal import SIGKILL
from typing import Any

from walsup import log
from walsup.agent.context import AgentContext
from walsup.archive.catalog.scope import Scope
from walsup.archive.engine import run_once
from walsup.archive.faults import Fault, FaultError, FaultKind
from walsup.archive.listing_check.findings import RoundFindings
from walsup.system.prctl import die_with_parent, take_less

# A process that gets no answer of the bucket for so long hangs.
_SILENT_S = 60.0
# A guard only: twice what a list of a million files takes.
_MOST_BYTES = 1 << 30
_OOM_SCORE = 900
_LONGEST_LINE = 16 << 20


async def look(
    context: AgentContext, scope: Scope, *, silent_s: float = _SILENT_S
) -> RoundFindings:
    """List and compare the archive.

    Raises:
        FaultError: it could not be.
    """
    answer = await _ask(context, {"scope": scope.to_json()}, "found", silent_s)
    return RoundFindings.from_json(answer)


async def missing_parts(context: AgentContext, name: str, compressed_bytes: int) -> tuple[str, ...]:
    """Compare a base backup's parts with its list of files; return what is missing.

    Raises:
        FaultError: they could not be.
    """
    backup = {"backup": {"name": name, "compressed_bytes": compressed_bytes}}
    answer = await _ask(context, backup, "missing", _SILENT_S)
    return tuple(str(one) for one in answer)


async def unlisted(context: AgentContext, name: str, before: float) -> tuple[str, ...]:
    """Compare the data directory with a base backup's list of files; return what the list lacks.

    Nothing, when there is no list.

    Raises:
        FaultError: they could not be.
    """
    answer = await _ask(
        context, {"compared": {"name": name, "before": before}}, "unlisted", _SILENT_S
    )
    return tuple(str(one) for one in answer or ())


async def _ask(context: AgentContext, question: dict[str, Any], key: str, silent_s: float) -> Any:  # noqa: ANN401 (JSON)
    parent = os.getpid()

    def prepare() -> None:
        die_with_parent(parent)
        take_less(_MOST_BYTES, _OOM_SCORE)

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-m", "walsup.archive.listing_check.worker", str(context.run_dir)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=run_once.environment() | log.environment(),
        preexec_fn=prepare,
        limit=_LONGEST_LINE,
    )
    try:
        region = {"region": context.session.bucket.region if context.session.bucket else None}
        text = json.dumps(question | region).encode()
        return await _answer(process, text, key, silent_s)
    finally:
        if process.returncode is None:
            process.kill()
            # A process that hangs in the kernel (an archive's file system) does not die.
            await asyncio.wait((asyncio.ensure_future(process.wait()),), timeout=1.0)


async def _answer(process: Process, question: bytes, key: str, silent_s: float) -> Any:  # noqa: ANN401 (JSON)
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
                Fault(
                    FaultKind.TIMEOUT, f"the audit's listing has had no answer for {silent_s:g} s"
                )
            ) from None
        if not line:
            raise FaultError(_ended(await process.wait()))
        answer: dict[str, Any] = json.loads(line)
        if "fault" in answer:
            kind, problem, remedy = answer["fault"]
            raise FaultError(Fault(FaultKind.of(kind), problem, remedy))
        if key in answer:
            return answer[key]


def _ended(code: int) -> Fault:
    """Return the fault of a process that ended without an answer."""
    if code == -SIGKILL:
        problem = "the audit's process was killed, perhaps by the kernel because memory ran out"
        return Fault(FaultKind.OUT_OF_MEMORY, problem)
    return Fault(FaultKind.UNKNOWN, f"the audit's process ended with {code}")
