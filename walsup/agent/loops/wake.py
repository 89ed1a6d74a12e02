"""What is done when the archive does not move although the bucket can be read.

The archiver sleeps for up to a minute after three failures, whatever gets better: it is woken.
A segment that was reported archived and is not in the bucket is pushed again (S6b): `.done` is
never proof, and WAL-RUS's daemon acknowledges names that it remembers without uploading them.
"""

import asyncio
import time
from pathlib import Path

from walsup import log, units
from walsup.agent.world import World
from walsup.archive import oneshot
from walsup.archive.engine import Engine
from walsup.archive.fault import Fault
from walsup.archive.output import classify_output
from walsup.tail import last_lines

_EVERY_S = 0.5
_FIRST_PATIENCE_S = 3.0
_LONGEST_PATIENCE_S = 60.0
_FAULT_AFTER_S = 15.0
_ASK_EVERY_S = 5.0
_PUSH_TIMEOUT_S = 60.0


async def wake(world: World) -> None:
    """Watch whether the proven end moves while finished segments wait."""
    engine_pid, was_faulty, failed, asked_s = 0, False, 0, 0.0
    proven_lsn, moved_s, woken_s, wakes = 0, time.monotonic(), time.monotonic(), 0
    while not world.stopping.is_set():
        await asyncio.sleep(_EVERY_S)
        seen, now_s = world.board.snapshot, time.monotonic()
        faulty = "bucket" in seen.faults
        better = was_faulty and not faulty
        if seen.init.engine_pid and seen.init.engine_pid != engine_pid:
            better = better or engine_pid != 0
            engine_pid = seen.init.engine_pid
        was_faulty = faulty
        if seen.lag.proven_lsn != proven_lsn or not seen.lag.segments:
            proven_lsn, moved_s, woken_s, wakes = seen.lag.proven_lsn, now_s, now_s, 0
            world.board.clear("segments")
        if seen.gate.state != "open" or not seen.lag.segments:
            continue
        patience_s = units.backoff(wakes + 1, _FIRST_PATIENCE_S, _LONGEST_PATIENCE_S)
        stuck = not faulty and now_s - woken_s > patience_s
        if better or stuck:
            wakes, woken_s = wakes + 1, now_s
            log.info("archiver.woken", reason="better" if better else "no progress")
            world.pid1.reload()
        failed, failed_before = seen.database.failed_count, failed
        due = now_s - moved_s > _FAULT_AFTER_S or failed > failed_before
        if due and not faulty and now_s - asked_s > _ASK_EVERY_S:
            asked_s = now_s
            fault = await _missing(world, stuck=now_s - moved_s > _FAULT_AFTER_S)
            if fault:
                world.board.fault("segments", fault)


async def _missing(world: World, *, stuck: bool) -> Fault | None:
    """Say why the first segment that is not proven is missing; push it again if it can be.

    The archiver hears nothing but "no" from the daemon, so an engine of its own is asked: what
    that one writes tells the class. `stuck`: nothing has moved for long, whatever it says.
    """
    if world.meter is None or not isinstance(world.engine, Engine):
        return None
    name = world.meter.mark.next().name
    pg_wal = world.settings.pgdata / "pg_wal"
    if (pg_wal / "archive_status" / f"{name}.ready").exists():
        database = world.board.snapshot.database
        code, told = await _push(world, world.engine, pg_wal / name)
        if code or not stuck:
            return told if code else None
        return Fault(
            kind="engine broken",
            problem=f"segment {name} waits for the archiver, and the bucket can be read; failed so"
            f" far: {database.failed_count}, last {database.last_failed_wal or 'none'}",
        )
    if not (pg_wal / name).exists():
        return Fault(
            kind="hole",
            problem=f"segment {name} was reported archived; it is not in the bucket, and no longer"
            " in pg_wal",
        )
    if not stuck:
        return None
    code, _ = await _push(world, world.engine, pg_wal / name)
    log.warning("segment.pushed_again", name=name, exit_code=code)
    return Fault(
        kind="hole",
        problem=f"segment {name} was reported archived, but is not in the bucket; pushed again"
        f" from pg_wal with exit code {code}",
        remedy="find out who deletes objects below the archive's prefix",
    )


async def _push(world: World, engine: Engine, path: Path) -> tuple[int, Fault]:
    """Push a segment past the daemon; gives the exit code, and what the engine says of itself."""
    output = world.run_dir / "wal-push.log"
    argv = engine.push_argv(world.engine_config, path)
    code = await oneshot.run(argv, output, timeout_s=_PUSH_TIMEOUT_S, cancelled=world.stopping)
    told = classify_output(last_lines(output, world.secrets()))
    return code, told._replace(problem=f"{path.name} cannot be pushed: {told.problem}")
