"""The agent's process: build the context, run the loops, never end by itself."""

import asyncio
import os
import signal
import sys
import threading
from pathlib import Path

from walsup import log
from walsup.agent.context import AgentContext
from walsup.agent.repeated_errors import REPEATS
from walsup.agent.startup_retry import answering, until_readable
from walsup.agent.tasks import forever
from walsup.errors import SettingsError
from walsup.redaction import redact_known

# A thread's stack counts towards this process's memory limit: 8 MiB each would be half of it.
_STACK_BYTES = 2 << 20


def main(run_dir: str) -> None:
    """Run the agent in a run directory that prepare has written."""
    threading.stack_size(_STACK_BYTES)
    sys.excepthook = log.uncaught
    threading.excepthook = _thread_failed
    log.redact_with(redact_known)
    wire = os.environ.get("WALSUP_WIRE")
    asyncio.run(_run(Path(run_dir), int(wire) if wire else None))


def _thread_failed(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_value is not None:
        log.unexpected("thread.failed", failed.exc_value)


async def _run(run_dir: Path, wire: int | None) -> None:
    web: asyncio.Future[tuple[None, None]] | None = None
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(REPEATS.handle)
    try:
        context = AgentContext(run_dir, wire)
    except SettingsError as wrong:
        context, web = await until_readable(run_dir, wire, wrong)
    log.configure(context.settings.log_format, "agent")
    loop.add_signal_handler(signal.SIGURG, context.pid1.nudged.set)
    web = web or answering(context.board, context.settings.http, context.run_dir)
    await asyncio.sleep(0)
    from walsup.agent.loops import LOOPS  # noqa: PLC0415 (HTTP answers while the rest is loaded)

    tasks = [
        asyncio.create_task(forever(name, lambda work=work: work(context)))  # type: ignore[misc]
        for name, work in LOOPS.items()
    ]
    await asyncio.gather(web, *tasks)
