"""What an archive offers to a restore, read from the bucket before anything is touched."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from walsup.archive.catalog import base_backups, commit_times, listing
from walsup.archive.catalog.archive_reader import PERMANENT, Reader
from walsup.archive.catalog.backup_parts import ListedFile, PartList
from walsup.archive.catalog.base_backups import Backup
from walsup.archive.catalog.scope import least_segment_bytes
from walsup.archive.catalog.timelines import TimelineHistory, segment_size
from walsup.archive.faults import FaultError
from walsup.archive.owner_record import Owner
from walsup.archive.paths import BACKUP_FOLDER
from walsup.archive.storage.bucket import Readable
from walsup.archive.storage.fault_mapping import is_absent
from walsup.archive.valid_keys import parts_folder
from walsup.postgres.wal import (
    Kind,
    PageHeader,
    Segment,
    classify,
    long_page_header,
    parse_history,
    strip_extension,
)

_METADATA = "files_metadata.json"
_PIECE_BYTES = 2 << 20
_PAGE_BYTES = 8192
_COMPRESSION = {"": "none", ".lz4": "lz4", ".zst": "zstd"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An archive's finished base backups (oldest LSN first), timelines and owner object."""

    backups: tuple[Backup, ...]
    timelines: tuple[int, ...]
    owner: Owner | None

    @property
    def present(self) -> frozenset[int]:
        """Return the timelines that have WAL, a history file or a base backup."""
        return frozenset({*self.timelines, *(b.timeline for b in self.backups)}) - {0}


async def look(bucket: Readable) -> Offer:
    """Read the catalogue.

    Raises:
        what the bucket raises; ValueError: the owner object cannot be read.
    """
    backups = await base_backups.backups(bucket)
    return Offer(
        backups=tuple(sorted(backups, key=lambda b: (b.finish_lsn, b.timeline))),
        timelines=await listing.timelines(bucket),
        owner=await commit_times.owner(bucket),
    )


async def line(reader: Reader, timeline: int) -> TimelineHistory:
    """Return the line of timelines that leads to this one, from its history file.

    Raises:
        FaultError: the file cannot be fetched; ValueError: it cannot be read.
    """
    if timeline == 1:
        return TimelineHistory.of(1, ())
    path = await reader.fetch(f"{timeline:08X}.history")
    try:
        return TimelineHistory.of(timeline, parse_history(path.read_text(encoding="utf-8")))
    finally:
        path.unlink(missing_ok=True)


async def readable_lines(reader: Reader, timelines: Iterable[int]) -> list[TimelineHistory]:
    """Return the lines to these timelines, without those whose history cannot be read.

    Raises:
        FaultError: the archive does not answer.
    """
    found = []
    for timeline in timelines:
        try:
            found.append(await line(reader, timeline))
        except ValueError:
            continue
        except FaultError as raised:
            if raised.fault.kind not in PERMANENT:
                raise
    return found


async def first_page(reader: Reader, segment: Segment) -> PageHeader:
    """Return the first page's header of a segment: that shows that key and compression fit.

    Raises:
        FaultError: the segment cannot be fetched; ValueError: it is not WAL.
    """
    path = await reader.fetch(segment.name)
    try:
        with path.open("rb") as file:
            return long_page_header(file.read(_PAGE_BYTES))
    finally:
        path.unlink(missing_ok=True)


async def held_files(bucket: Readable, name: str) -> AsyncIterator[list[ListedFile]]:
    """Yield the files of a base backup in batches; none when it has no list.

    Raises:
        what the bucket raises; ValueError: the list cannot be read.
    """
    found = PartList()
    async for files in _read(bucket, name, found):
        yield files


async def part_names(bucket: Readable, name: str) -> frozenset[str]:
    """Return the names of a base backup's parts from its list of files; none without a list.

    Raises:
        as `held_files` does.
    """
    found = PartList()
    async for _ in _read(bucket, name, found):
        pass
    return frozenset(found.parts)


async def _read(bucket: Readable, name: str, found: PartList) -> AsyncIterator[list[ListedFile]]:
    key, begin = f"{BACKUP_FOLDER}/{name}/{_METADATA}", 0
    while True:
        try:
            piece = await bucket.piece(key, begin, _PIECE_BYTES)
        except FileNotFoundError as raised:
            if begin or not is_absent(raised):
                raise
            return
        try:
            yield await asyncio.to_thread(found.feed, piece)
            if len(piece) < _PIECE_BYTES:
                found.end()
                return
        except ValueError as odd:
            raise ValueError(f"{_METADATA} of {name} cannot be read: {odd}") from odd
        begin += len(piece)


async def metadata_bytes(bucket: Readable, name: str) -> int:
    """Return the size of a base backup's list of files, 0 when it has none.

    Raises:
        what the bucket raises.
    """
    folder = f"{BACKUP_FOLDER}/{name}"
    sizes = [
        one.size_bytes
        async for page in bucket.pages(folder)
        for one in page.objects
        if one.key == f"{folder}/{_METADATA}"
    ]
    return max(0, *sizes, 0)


async def missing_parts(bucket: Readable, name: str, compressed_bytes: int = 0) -> tuple[str, ...]:
    """Return the parts of a base backup that an unfinished upload or a deletion left out.

    The engines fetch the parts that a listing shows and miss none, so half a backup looks complete.
    `compressed_bytes`: the size of all parts according to the sentinel.

    Raises:
        what the bucket raises; ValueError: the list of parts cannot be read.
    """
    folder = parts_folder(name)
    listed = [one async for page in bucket.pages(folder) for one in page.objects]
    there = {
        strip_extension(one.key).rpartition("/")[2].removesuffix(".enc"): one.size_bytes
        for one in listed
    }
    if not there:
        return (f"{folder}/",)
    wanted = {"pg_control.tar", *await part_names(bucket, name)}
    missing = [f"{folder}/{part}" for part in sorted(wanted - there.keys())]
    missing += [f"{folder}/{part} (0 bytes)" for part, size in sorted(there.items()) if size == 0]
    missing += [
        f"{one.key} (in storage class {one.unreadable_class}, which cannot be read)"
        for one in listed
        if one.unreadable_class
    ]
    total_bytes = sum(there.values())
    # Both engines count the bytes that they have uploaded; an unknown size is -1.
    if not missing and min(there.values()) > 0 and total_bytes < compressed_bytes:
        lacking = compressed_bytes - total_bytes
        missing.append(f"{lacking} bytes of its {len(there)} parts: one is cut off")
    return tuple(missing)


async def space_bytes(bucket: Readable, backup: Backup) -> dict[str, int]:
    """Return the minimum size of each tablespace, by its number.

    From walsup's note in the backup; for another program's backup, the compressed size of the parts
    that hold only this tablespace.

    Raises:
        as `held_files` does.
    """
    found = dict.fromkeys([number for number, _ in backup.tablespaces], 0)
    if not found:
        return found
    sizes = {
        strip_extension(one.key).rpartition("/")[2].removesuffix(".enc"): one.size_bytes
        async for page in bucket.pages(parts_folder(backup.name))
        for one in page.objects
    }
    owners: dict[str, set[str]] = {}
    async for files in held_files(bucket, backup.name):
        for part, name in files:
            number = name.split("/")[1] if name.startswith("pg_tblspc/") else ""
            owners.setdefault(part, set()).add(number)
    for part, numbers in owners.items():
        if len(numbers) == 1 and (number := numbers.pop()) in found:
            found[number] += max(0, sizes.get(part, 0))
    return {number: max(size, backup.space_bytes(number)) for number, size in found.items()}


async def segments(bucket: Readable, start: Segment) -> tuple[frozenset[str], dict[str, int]]:
    """Return the names of WAL files from a segment on, and those too small to be segments.

    Raises:
        what the bucket raises.
    """
    whole, short = set[str](), dict[str, int]()
    async for name, listed in listing.listed_from(bucket, start.name):
        extension = listed.key.rpartition("/")[2].removeprefix(name)
        least = least_segment_bytes(_COMPRESSION.get(extension, "other"), start.size)
        if classify(name) is Kind.SEGMENT and 0 <= listed.size_bytes < least:
            short[name] = listed.size_bytes
        else:
            whole.add(name)
    return frozenset(whole), {name: size for name, size in short.items() if name not in whole}


def size(backup: Backup) -> int:
    """Return the segment size of a backup in bytes, 0 when it is not known."""
    try:
        return segment_size(backup.name, backup.start_lsn)
    except ValueError:
        return 0
