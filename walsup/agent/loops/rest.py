"""WAL-G's daemon once its work is done: what uploads took it keeps, a fresh one has it not (S27).

Measured with 3.0.9: 9 MiB of its own when it starts, 18 to 24 after the first segments and the
base backup, more after a burst. WAL-RUS gives it back by itself.
"""

import asyncio
import time
from pathlib import Path

from walsup import log
from walsup.agent import daemons
from walsup.agent.board import Snapshot
from walsup.agent.world import World
from walsup.archive.engine import Engine

_EVERY_S = 10.0
_REST_S = 120.0
_KEPT_KIB = 14 << 10


class Rest:
    """When nothing has been archived for a while, and no fresh daemon has begun since."""

    def __init__(self) -> None:
        self._lsn = self._refreshed_lsn = -1
        self._since_s = 0.0

    def is_due(self, seen: Snapshot, now_s: float) -> bool:
        """Tell whether a fresh daemon would be in nobody's way."""
        busy = seen.gate.state != "open" or seen.lag.segments or seen.backup.state != "proven"
        if busy or seen.lag.proven_lsn != self._lsn:
            self._lsn, self._since_s = seen.lag.proven_lsn, now_s
        return now_s - self._since_s >= _REST_S and self._lsn != self._refreshed_lsn

    def refreshed(self) -> None:
        """Take note: until something is archived there is nothing to be had by another."""
        self._refreshed_lsn = self._lsn


async def rest(world: World) -> None:
    """Start a fresh daemon where the resting one is fat."""
    if not isinstance(world.engine, Engine) or world.engine.name != "wal-g":
        await world.stopping.wait()
        return
    resting = Rest()
    while not world.stopping.is_set():
        await asyncio.sleep(_EVERY_S)
        seen = world.board.snapshot
        if not seen.gate.daemon or not resting.is_due(seen, time.monotonic()):
            continue
        kept_kib = own_kib(seen.init.engine_pid)
        if kept_kib > _KEPT_KIB:
            await daemons.until_quiet(world)
            if generation := daemons.refresh(world):
                log.info("engine.refreshed", kept_bytes=kept_kib << 10, generation=generation)
        resting.refreshed()


def own_kib(pid: int, proc: Path = Path("/proc")) -> int:
    """Give the memory of a process that is no file's; 0 when that cannot be read."""
    try:
        status = (proc / str(pid) / "status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    return next(
        (int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon:")), 0
    )
