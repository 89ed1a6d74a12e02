"""Reports `.ready` files of a timeline that is not in this cluster's history; never pushes them.

archive_command rejects such a file, so postgres's archiver tries it again and again, a history file
before everything else. While it blocks the archiver, the agent pushes this cluster's segments.
"""

import asyncio
import contextlib
import math
import time

from walsup import log, units
from walsup.agent.context import AgentContext
from walsup.agent.states import GateState
from walsup.agent.subject import Subject
from walsup.archive.engine import run_once
from walsup.archive.engine.adapter import Engine
from walsup.archive.engine.archive_command import MANY
from walsup.archive.faults import Fault, FaultKind
from walsup.archive.ownership.lease import now_s
from walsup.postgres.wal import Kind, classify
from walsup.postgres.wal_files.ready_files import SUFFIX, Ready, ready_names
from walsup.system.private_files import write_private

_EVERY_S = 2.0
_PUSH_TIMEOUT_S = 60.0
_UNPROVEN_S = 60.0  # a pushed segment that is not listed by then is pushed again
_FAILED_S = 30.0  # another file that could not be pushed must not delay the segments
_SHOWN = 3
_MANY = 300


async def ready(context: AgentContext) -> None:
    """Look every few seconds, as long as this database archives."""
    due_s: dict[str, float] = {}
    while not context.signals.stopping.is_set():
        await asyncio.sleep(_EVERY_S)
        snapshot = context.board.snapshot
        if snapshot.gate.state != GateState.OPEN or snapshot.database.role != "primary":
            context.board.clear(Subject.READY)
            (context.run_dir / MANY).unlink(missing_ok=True)
            continue
        files = await asyncio.to_thread(ready_names, context.settings.pgdata)
        _tell_archive_command(context, files)
        if not files.foreign:
            context.board.clear(Subject.READY)
            continue
        blocked = snapshot.database.last_failed_wal in files.foreign
        context.board.fault(Subject.READY, _fault(context, files, blocked=blocked))
        if blocked:
            await push_own(context, files, due_s)


def _tell_archive_command(context: AgentContext, files: Ready) -> None:
    """Spare archive_command a scan of many files each time; on a full run directory it scans."""
    path = context.run_dir / MANY
    if len(files.own) <= _MANY:
        path.unlink(missing_ok=True)
        return
    with contextlib.suppress(OSError):
        write_private(path, "1\n" if files.foreign else "\n")


def _fault(context: AgentContext, files: Ready, *, blocked: bool) -> Fault:
    status = context.settings.pgdata / "pg_wal" / "archive_status"
    names = [f"{name}{SUFFIX}" for name in files.foreign]
    consequence = (
        "; it blocks postgres's archiver, and walsup pushes the segments itself" if blocked else ""
    )
    return Fault(
        kind=FaultKind.FOREIGN_TIMELINE,
        problem=f"{status} has {units.abbreviate(names, _SHOWN)} of a timeline that is not in this"
        f" cluster's history: walsup does not archive it{consequence}",
        remedy=f"find out what has created it, and remove it: rm {status}/{names[0]}",
    )


async def push_own(context: AgentContext, files: Ready, due_s: dict[str, float]) -> None:
    """Push what the bucket lacks; the `.ready` files stay, and postgres keeps the segments.

    `due_s`: when a name is pushed again, by the monotonic clock; the next call needs it.
    """
    meter, engine = context.session.meter, context.session.engine
    if meter is None or not isinstance(engine, Engine):
        return
    for name in due_s.keys() - set(files.own):
        del due_s[name]
    for name in files.own:
        is_segment = classify(name) is Kind.SEGMENT
        is_proven = is_segment and name <= meter.mark.name
        if is_proven or due_s.get(name, -math.inf) > time.monotonic():
            continue
        left_s = context.session.lease.until_s - now_s() if context.session.lease else 0.0
        timeout_s = min(_PUSH_TIMEOUT_S, left_s)
        if timeout_s <= 0 or context.signals.stopping.is_set():
            return
        # Without the daemon: it would also push the files of the other timeline.
        argv = engine.push_argv(context.engine_config, context.settings.pgdata / "pg_wal" / name)
        output = context.run_dir / "ready-push.log"
        is_pushed = await run_once.run(argv, output, timeout_s=timeout_s) == 0
        log.info("segment.pushed", name=name, done=is_pushed)
        if is_pushed:
            context.session.swept.add(name)
            due_s[name] = time.monotonic() + _UNPROVEN_S if is_segment else math.inf
        elif is_segment:
            return
        else:
            due_s[name] = time.monotonic() + _FAILED_S
