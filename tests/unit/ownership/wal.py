"""The WAL of a model's data directories, and the real comparison of one of them with the archive.

A segment's bytes name the segment before it, so that two lives of one directory have other bytes
under the same names, and a mixture of both in the archive is seen.
"""

import asyncio
import itertools
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Self, cast

from tests.unit.ownership.memory_bucket import MemoryBucket
from tests.unit.ownership.net import Store
from tests.unit.postgres.controlbytes import control_file
from walsup.archive.catalog import owner_line
from walsup.archive.engine.adapter import Engine
from walsup.archive.owner_record import Owner
from walsup.archive.ownership import divergence
from walsup.archive.ownership.claimant import Claimant
from walsup.archive.ownership.divergence import Divergence, Sides
from walsup.archive.paths import WAL_FOLDER
from walsup.archive.storage.bucket import Bucket
from walsup.postgres.wal import Segment, Switch, show_lsn

SIZE = 1 << 20
SYSTEM = 7
_KEPT = 2  # so many segments stay in pg_wal, whether they are archived or not
_HEAD = struct.Struct("<HHIQI4xQII")
_ENGINE = '#!/bin/sh\nexec cp "${2%/config}/archive/$4" "$5"\n'


@dataclass(kw_only=True)
class Wal:
    """All whole segments that a data directory has written or received, and which are `.done`."""

    segments: dict[str, bytes] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)

    def copy(self) -> Self:
        """Return it as it is now."""
        return type(self)(segments=dict(self.segments), done=set(self.done))


def key(name: str) -> str:
    """Return where a segment is archived."""
    return f"{WAL_FOLDER}/{name}"


class Line:
    """The timelines of a directory: which segment holds a position."""

    def __init__(self, timeline: int, left: Sequence[Switch]) -> None:
        self._begins = [0, *(switch.switch_lsn for switch in left)]
        self.numbers = [*(switch.timeline for switch in left), timeline]

    def at(self, lsn: int) -> Segment:
        """Return the segment of a position; the one of a switch is the new timeline's."""
        end = lsn - lsn % SIZE + SIZE
        pairs = zip(self._begins, self.numbers, strict=True)
        number = max(number for begin, number in pairs if begin < end)
        return Segment.containing(lsn, number, SIZE)


class Writer:
    """Makes bytes that nobody has made before."""

    def __init__(self) -> None:
        self._count = itertools.count()

    def write(self, wal: Wal, line: Line, lsn: int, end_lsn: int) -> None:
        """Write from one position to another; what is whole then is there and waits."""
        for start in range(lsn - lsn % SIZE, end_lsn - end_lsn % SIZE, SIZE):
            segment, before = line.at(start), line.at(start - SIZE)
            head = _HEAD.pack(0xD110, 2, segment.timeline, start, 0, SYSTEM, SIZE, 8192)
            parent = digest(wal.segments.get(before.name, b""))
            wal.segments[segment.name] = head + parent + b"%d" % next(self._count)


def digest(content: bytes) -> bytes:
    """Return what the next segment says of this one."""
    return sha256(content).digest()


def follows(content: bytes, before: bytes) -> bool:
    """Return whether a segment was written behind that one."""
    return content[_HEAD.size :].startswith(digest(before))


def archived(store: Store, line: Line, lsn: int) -> Iterator[tuple[str, bytes]]:
    """Give the segments of a line from a position on, up to the first that is not archived."""
    for start in itertools.count(lsn - lsn % SIZE, SIZE):
        name = line.at(start).name
        if key(name) not in store.objects:
            return
        yield name, store.objects[key(name)]


class Comparison:
    """walsup's own comparison, on files that are laid out as a data directory has them."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._runner = asyncio.Runner()
        self._count = itertools.count()
        base.mkdir(exist_ok=True)
        self._program = base / "engine"
        self._program.write_text(_ENGINE)
        self._program.chmod(0o700)

    def close(self) -> None:
        """End its loop."""
        self._runner.close()

    def compare(self, store: Store, who: Claimant, wal: Wal, wanted: Owner) -> Divergence:
        """Return what walsup finds between a directory and the archive."""
        place = self._base / str(next(self._count))
        names = self._lay_out(place, who, wal)
        for name in names:
            if (content := store.objects.get(key(name))) is not None:
                (place / "archive" / name).write_bytes(content)
        engine = Engine(name="walrus", program=self._program, client=None)
        bucket = cast("Bucket", MemoryBucket(store))  # it has what is asked of a bucket here
        sides = Sides(bucket, engine, place / "config", place, place, ())
        proven = Segment.containing(wanted.lsn, wanted.timeline, SIZE).previous()
        owners = owner_line.timelines(wanted)
        return self._runner.run(divergence.compare(sides, who.control, proven, owners))

    def _lay_out(self, place: Path, who: Claimant, wal: Wal) -> list[str]:
        control, pg_wal = who.control, place / "pg_wal"
        for folder in (place / "global", place / "archive", pg_wal / "archive_status"):
            folder.mkdir(parents=True)
        (place / "global" / "pg_control").write_bytes(control_file(told=control))
        history = "".join(f"{s.timeline}\t{show_lsn(s.switch_lsn)}\tmodel\n" for s in who.left)
        (pg_wal / f"{control.timeline:08X}.history").write_text(history)
        oldest_lsn = control.redo_lsn - control.redo_lsn % SIZE - _KEPT * SIZE
        names = [
            name
            for name in wal.segments
            if name not in wal.done or Segment.parse(name, SIZE).start_lsn >= oldest_lsn
        ]
        for name in names:
            (pg_wal / name).write_bytes(wal.segments[name])
            if name not in wal.done:
                (pg_wal / "archive_status" / f"{name}.ready").touch()
        return names
