"""The alarm for segments that are there under two extensions (S6): one is somebody else's.

The lag's listing begins at the mark, and who writes under our names may be behind it.
"""

import asyncio
import time

from walsup.agent.world import World
from walsup.archive import catalog
from walsup.archive.bucket import Bucket
from walsup.archive.fault import Fault
from walsup.postgres.wal import Segment

_POLL_S = 1.0
_EVERY_S = 10.0
_WHOLE_EVERY_S = 3600.0
_BEHIND = 500  # segments, as many as fit in one answer to a listing with their histories
_SHARE = 20  # of the time that a listing takes


async def twice(world: World) -> None:
    """Look at the whole archive once an hour and while the alarm stands, else near the mark."""
    whole_s, due_s = -_WHOLE_EVERY_S, 0.0
    while not world.stopping.is_set():
        await asyncio.sleep(_POLL_S)
        began_s, seen = time.monotonic(), world.board.snapshot
        if not world.meter or not world.bucket or seen.gate.state != "open" or began_s < due_s:
            continue
        whole = "archive" in seen.faults or began_s - whole_s >= _WHOLE_EVERY_S
        near = "" if whole else _behind(world.meter.mark)
        if await _look(world, world.bucket, near) and whole:
            whole_s = began_s
        took_s = time.monotonic() - began_s
        due_s = began_s + max(_EVERY_S, _SHARE * took_s)


async def _look(world: World, bucket: Bucket, after: str) -> bool:
    """Look from a name on ("": at everything); False when the bucket did not answer."""
    try:
        names = await catalog.twice(bucket, after)
    except Exception:  # noqa: BLE001 (the lag's listing says what is wrong)
        return False
    if names:
        world.board.fault("archive", alarm(names))
    elif not after:
        world.board.clear("archive")
    return True


def alarm(names: tuple[str, ...]) -> Fault:
    """Give the fault of these segments."""
    return Fault(
        kind="overwrite conflict",
        problem=f"{', '.join(names[:3])} in the archive twice, in two compressions: two programs"
        " have written there",
        remedy="find the other writer (an archive_command elsewhere?), and remove what it has"
        " written; or give this database a prefix of its own",
    )


def _behind(mark: Segment) -> str:
    first = Segment(timeline=mark.timeline, number=max(0, mark.number - _BEHIND), size=mark.size)
    return first.name
