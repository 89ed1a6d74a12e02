"""What the bucket contains, read from the bucket itself and never from an engine's output."""

from collections.abc import AsyncIterator
from typing import NamedTuple

from walsup.archive.catalog.scope import Stamp
from walsup.archive.paths import BACKUP_FOLDER, WAL_FOLDER
from walsup.archive.storage.bucket import Bucket, Listed, Readable
from walsup.archive.valid_keys import is_direct
from walsup.postgres.wal import Kind, Segment, classify, strip_extension

_MOST_BEYOND = 16


async def newest_segment(bucket: Readable) -> str:
    """Return the key of the last segment of the newest timeline, "" when there is none."""
    newest = ""
    async for key in bucket.keys(WAL_FOLDER):
        if classify(_name(key)) is Kind.SEGMENT:
            newest = key
    return newest


async def is_empty(bucket: Readable) -> bool:
    """Return whether a successful listing finds nothing below the folders of WAL and base backups.

    Objects that do not count as WAL count here: a cluster's WAL may have been moved there.
    """
    for folder in (BACKUP_FOLDER, WAL_FOLDER):
        async for page in bucket.pages(folder):
            if page.objects or page.folders:
                return False
    return True


async def from_name(bucket: Readable, name: str) -> AsyncIterator[str]:
    """Yield the names of WAL files, without extension, from this one on, in order."""
    async for found, _ in listed_from(bucket, name):
        yield found


async def is_archived(bucket: Readable, name: str) -> bool:
    """Return whether a WAL file of this name is in the bucket, with any extension."""
    async for found in from_name(bucket, name):
        return found == name
    return False


async def history_problem(bucket: Readable, timeline: int) -> str:
    """Return what is wrong with a timeline's history file, "" when nothing is; 1 needs none."""
    name = f"{timeline:08X}.history"
    if timeline == 1:
        return ""
    async for found, listed in listed_from(bucket, name):
        if found == name:
            return f"{name} is empty in the archive" if listed.size_bytes == 0 else ""
        break
    return f"{name} is missing in the archive"


async def listed_from(bucket: Readable, name: str) -> AsyncIterator[tuple[str, Listed]]:
    """Yield the names of WAL files, without extension, with their objects, in order."""
    # A listing begins after its key; uncompressed files, and WAL-RUS's history files, have the bare
    # name.
    async for page in bucket.pages(WAL_FOLDER, f"{WAL_FOLDER}/{name[:-1]}"):
        for listed in page.objects:
            if (found := _name(listed.key)) >= name:
                yield found, listed


async def key_of(bucket: Readable, name: str) -> str:
    """Return the key under which a WAL file is archived, "" when it is not."""
    async for key in bucket.keys(WAL_FOLDER, f"{WAL_FOLDER}/{name[:-1]}"):
        if (found := _name(key)) == name:
            return key
        if found > name and not found.startswith(name):
            break  # in the order of names it cannot follow
    return ""


async def content_of(bucket: Readable, name: str) -> bytes | None:
    """Read the whole object of a WAL file, as it is stored; None: there is none.

    Engines do not say clearly why a file could not be fetched: WAL-RUS reports an object that it
    may not read as "not found", WAL-G a truncated one as "EOF". An object that can be read whole is
    itself at fault.

    Raises:
        what the bucket raises.
    """
    key = await key_of(bucket, name)
    return (await bucket.get(key)).content if key else None


async def newest_on(bucket: Readable, timeline: int, lsn: int, size: int) -> Segment | None:
    """Return the last archived segment of a timeline after `lsn`, or None."""
    newest = None
    first = Segment.containing(lsn, timeline, size)
    async for name in from_name(bucket, first.name):
        if name[:8] > first.name[:8]:
            break
        newest = segment(name, size) or newest
    return newest


def segment(name: str, size: int) -> Segment | None:
    """Return the segment of this name; None for another file, or segments of another size."""
    try:
        return Segment.parse(name, size)
    except ValueError:
        return None


async def timelines(bucket: Readable) -> tuple[int, ...]:
    """Return every timeline that has any object, with one page of the listing for each."""
    found: list[int] = []
    while (number := await _next_timeline(bucket, found[-1] if found else 0)) is not None:
        found.append(number)
    return tuple(found)


async def _next_timeline(bucket: Readable, before: int) -> int | None:
    async for key in bucket.keys(WAL_FOLDER, f"{WAL_FOLDER}/{before:08X}~"):
        name = _name(key)
        if name > "G":
            break  # after all hexadecimal digits
        if classify(name) is not Kind.OTHER and (number := int(name[:8], 16)) > before:
            return number
    return None


class Run(NamedTuple):
    """A run of segments without a gap: its last one, and those that have two objects each.

    `verified`: the new segments of the run, as the listing has shown their objects. `beyond`: the
    first segments of the timeline that are listed but end after the server's position; the server
    cannot have archived them before that position was read.
    """

    mark: Segment
    twice: tuple[str, ...] = ()
    verified: tuple[tuple[str, Stamp], ...] = ()
    beyond: tuple[Segment, ...] = ()


async def advance(bucket: Bucket, mark: Segment, upto_lsn: int | None = None) -> Run:
    """Return the run without a gap that is in the bucket from `mark` on (rule lag).

    Uploads are parallel, so a later segment proves nothing about an earlier one. Within a
    timeline the order of keys is the order of WAL: the listing ends at the first gap.
    `upto_lsn`: the server's position, read before; no segment that ends after it counts.
    """
    before, twice = "", []
    verified: list[tuple[str, Stamp]] = []
    beyond: list[Segment] = []
    async for listed in _objects(bucket, f"{WAL_FOLDER}/{mark.name}"):
        name = _name(listed.key)
        if name == before:
            twice.append(name)
        elif upto_lsn is not None and _is_beyond(name, mark, upto_lsn):
            beyond.append(Segment.parse(name, mark.size))
            if len(beyond) == _MOST_BEYOND:
                break
        before = name
        following = mark.next()
        if name == following.name and not beyond:
            if await bucket.settle(listed.key):
                mark = following
                verified.append((name, Stamp(listed.size_bytes, listed.changed_at)))
        elif name > following.name and not name.startswith(following.name):
            # In the order of names it cannot follow.
            if upto_lsn is None or name[:8] > mark.name[:8]:
                break
            if not beyond:
                beyond = await _beyond(bucket, mark, upto_lsn)
                break
    return Run(mark, tuple(twice), tuple(verified), tuple(beyond))


def _is_beyond(name: str, mark: Segment, upto_lsn: int) -> bool:
    found = segment(name, mark.size)
    return found is not None and found.timeline == mark.timeline and found.end_lsn > upto_lsn


async def _beyond(bucket: Readable, mark: Segment, upto_lsn: int) -> list[Segment]:
    """Look for segments beyond the position, after a listing that ended at a gap."""
    found: dict[Segment, None] = {}
    current = Segment.containing(upto_lsn, mark.timeline, mark.size)
    async for name in from_name(bucket, current.name):
        if name[:8] > mark.name[:8] or len(found) == _MOST_BEYOND:
            break
        if _is_beyond(name, mark, upto_lsn):
            found[Segment.parse(name, mark.size)] = None
    return [*found]


async def _objects(bucket: Bucket, after: str) -> AsyncIterator[Listed]:
    async for page in bucket.pages(WAL_FOLDER, after):
        for listed in page.objects:
            yield listed


async def segments_after(bucket: Readable, segment: Segment) -> tuple[str, ...]:
    """Return the names of the segments after this one, in the order of their names."""
    after = f"{WAL_FOLDER}/{segment.name}"
    names = [_name(key) async for key in bucket.keys(WAL_FOLDER, after)]
    return tuple(name for name in names if classify(name) is Kind.SEGMENT and name > segment.name)


def _name(key: str) -> str:
    """Return the name of an object of the WAL folder, "" for one that is not directly in it."""
    return strip_extension(key.rpartition("/")[2]) if is_direct(WAL_FOLDER, key) else ""
