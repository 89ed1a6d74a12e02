"""Waking the archiver: after three failures it sleeps for up to a minute, whatever gets better."""

import asyncio
import time

from walsup import log, units
from walsup.agent.world import World

_EVERY_S = 0.5
_FIRST_PATIENCE_S = 3.0
_LONGEST_PATIENCE_S = 60.0


async def wake(world: World) -> None:
    """Reload postgres, which wakes its archiver, when something has got better or nothing moves."""
    engine_pid, was_faulty = 0, False
    proven_lsn, moved_s, wakes = 0, time.monotonic(), 0
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
            proven_lsn, moved_s, wakes = seen.lag.proven_lsn, now_s, 0
        patience_s = units.backoff(wakes + 1, _FIRST_PATIENCE_S, _LONGEST_PATIENCE_S)
        stuck = seen.gate.state == "open" and not faulty and now_s - moved_s > patience_s
        if (better and seen.lag.segments) or stuck:
            wakes, moved_s = wakes + 1, now_s
            log.info("archiver.woken", reason="better" if better else "no progress")
            world.pid1.reload()
