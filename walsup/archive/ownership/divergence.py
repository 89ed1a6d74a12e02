"""Whether this disk can continue what the archive has: names, positions and bytes.

Rules divergence and same-name-other-bytes.

A volume restored from a snapshot, or a disk that lost fsynced data, starts normally and would write
other WAL under names that are archived already.
"""

import asyncio
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from walsup.archive.catalog import listing
from walsup.archive.engine import streamed_comparison
from walsup.archive.engine.adapter import Engine
from walsup.archive.engine.commands import Commands
from walsup.archive.faults import Fault, FaultError, FaultKind
from walsup.archive.storage.bucket import Bucket
from walsup.postgres import pg_control
from walsup.postgres.pg_control import ControlData
from walsup.postgres.wal import Segment, long_page_header, show_lsn, strip_extension
from walsup.postgres.wal_files import timeline_history
from walsup.postgres.wal_files.ready_files import ready_names

_FETCH_TIMEOUT_S = 60.0
_CHUNK_BYTES = 1 << 20
_PAGE_BYTES = 8192


class Sides(NamedTuple):
    """Both sides of a comparison: the archive through its engine, the data directory.

    `scratch`: where a file can be fetched to; without space it is compared while it is read.
    `secrets` are removed from the engine's output.
    """

    bucket: Bucket
    engine: Engine
    config: Path
    pgdata: Path
    scratch: Path | None
    secrets: tuple[str, ...]

    @property
    def pg_wal(self) -> Path:
        """Return the directory of the disk's WAL."""
        return self.pgdata / "pg_wal"


class Divergence(NamedTuple):
    """Why the archive must not be continued from this disk; None: it can be.

    `joined`: the end of the archive is on the disk too, byte for byte, or the archive has nothing
    of this timeline. If postgres has removed it already, nothing shows that what follows is the
    same database's. `because`: why base backups before `since_lsn` (0: the redo position) do not
    count.
    """

    fault: Fault | None
    joined: bool = True
    because: str = ""
    since_lsn: int = 0


async def compare(  # noqa: PLR0913 (each is one fact)
    sides: Sides,
    found: ControlData,
    proven: Segment,
    owners: Collection[int] = (),
    *,
    readable: bool = True,
    at_lsn: int = 0,
) -> Divergence:
    """Compare the end of the archive on this cluster's timelines with the disk.

    `proven`: where the listing begins, a segment of any timeline of this cluster. `owners`: the
    timelines of the archive's owner; any other one in it is a branch, and says nothing about this
    disk. `readable`: whether the engine has the key that the archive's segments were written with.
    `at_lsn`: where the server began to write, 0 when that is not known.

    Raises:
        what the bucket raises; OSError: the engine could not fetch what is to be compared.
    """
    newest, waiting = await _archived(sides, proven, found, owners)
    joined = True
    if newest is not None and newest.timeline > found.timeline:
        return Divergence(
            _ahead(f"it has timeline {newest.timeline}, but this disk is on {found.timeline}")
        )
    if newest is not None and newest.timeline == found.timeline:
        if fault := await asyncio.to_thread(_position, sides, newest):
            return Divergence(fault)
        if 0 < at_lsn < newest.end_lsn:
            # With an older pg_control the files of the later run are still in pg_wal.
            reach = f"it reaches {show_lsn(newest.end_lsn)} ({newest.name})"
            return Divergence(
                _ahead(f"{reach}, but this server started to write at {show_lsn(at_lsn)}")
            )
        joined = (sides.pg_wal / newest.name).exists()
        if newest.name not in waiting and joined:
            waiting = (*waiting, newest.name)
    elif (
        newest is not None
        and newest.name not in waiting
        and await asyncio.to_thread(_is_before_switch, sides, newest, found.timeline)
    ):
        # A standby of a diverged primary has that primary's WAL, not the archived WAL.
        waiting = (*waiting, newest.name)
    # Also WAL that was deleted there since then: this disk must not have lost it.
    if proven.timeline == found.timeline and (
        fault := await asyncio.to_thread(_position, sides, proven)
    ):
        return Divergence(fault)
    for name in waiting if readable else ():
        if not await same(sides, name):
            return Divergence(
                _ahead(f"{name} in the archive has other bytes than {name} in pg_wal")
            )
    return Divergence(None, joined)


async def _archived(
    sides: Sides, proven: Segment, found: ControlData, owners: Collection[int]
) -> tuple[Segment | None, Sequence[str]]:
    """Return the newest archived segment, and which of the waiting (`.ready`) files are archived.

    Rule same-name-other-bytes.
    """
    ready = set((await asyncio.to_thread(ready_names, sides.pgdata)).own)
    first, here = min((proven.name, *ready)), found.timeline
    newest: Segment | None = None
    waiting: dict[str, None] = {}
    async for name in listing.from_name(sides.bucket, first):
        if name in ready:
            waiting[name] = None
        segment = listing.segment(name, found.segment_size)
        if segment is not None and segment.timeline in (*(owners or (segment.timeline,)), here):
            newest = segment
    return newest, tuple(waiting)


def _is_before_switch(sides: Sides, segment: Segment, timeline: int) -> bool:
    """Return whether pg_wal has a segment that `timeline` took over from an earlier one."""
    try:
        switches = timeline_history.left(sides.pgdata, timeline)
    except (OSError, ValueError):
        return False
    end_lsn = next((s.switch_lsn for s in switches if s.timeline == segment.timeline), 0)
    return segment.end_lsn <= end_lsn and (sides.pg_wal / segment.name).exists()


def _position(sides: Sides, newest: Segment) -> Fault | None:
    """Return whether the disk reached the end of the archive's newest segment."""
    if (sides.pg_wal / newest.name).exists():
        try:
            with (sides.pg_wal / newest.name).open("rb") as file:
                head = long_page_header(file.read(_PAGE_BYTES))
        except (OSError, ValueError):
            return _ahead(f"{newest.name} is archived, but not yet written in pg_wal")
        # The first segment of a timeline begins with pages of the one that was left.
        if head.page_lsn == newest.start_lsn and head.timeline <= newest.timeline:
            return None
        # A file under a later name, kept by postgres for reuse.
        return _ahead(f"{newest.name} is archived, but not yet written in pg_wal")
    # PostgreSQL removes only segments before the last checkpoint's redo.
    redo_lsn = pg_control.read(sides.pgdata).redo_lsn
    if redo_lsn >= newest.end_lsn:
        return None
    return _ahead(
        f"it reaches {show_lsn(newest.end_lsn)} ({newest.name}), but this disk has its last"
        f" checkpoint at {show_lsn(redo_lsn)} and no such segment"
    )


async def same(sides: Sides, name: str) -> bool:
    """Compare a file of pg_wal with what the engine fetches under its name.

    Raises:
        FaultError: it could not be fetched.
    """
    if sides.scratch is None:
        key = await listing.key_of(sides.bucket, name)
        compressed = strip_extension(key) != key
        argv = sides.engine.cat_argv(sides.config, key, compressed=compressed)
        return await streamed_comparison.same(
            argv, sides.pg_wal / name, _FETCH_TIMEOUT_S, sides.secrets
        )
    target = sides.scratch / f"compare-{name}"
    log = target.with_suffix(".log")
    commands = Commands(engine=sides.engine, config=sides.config, secrets=sides.secrets)
    try:
        failure = await commands.fetch(name, target, log, timeout_s=_FETCH_TIMEOUT_S)
        if failure is not None:
            raise FaultError(failure.fault(f"{name} could not be fetched to compare it"))
        return await asyncio.to_thread(_equal, target, sides.pg_wal / name)
    finally:
        target.unlink(missing_ok=True)
        log.unlink(missing_ok=True)


def _equal(one: Path, other: Path) -> bool:
    with one.open("rb") as left, other.open("rb") as right:
        while True:
            chunk = left.read(_CHUNK_BYTES)
            if chunk != right.read(_CHUNK_BYTES):
                return False
            if not chunk:
                return True


def _ahead(problem: str) -> Fault:
    return Fault(
        kind=FaultKind.BUCKET_AHEAD, problem=f"the archive has WAL that this disk lacks: {problem}"
    )
