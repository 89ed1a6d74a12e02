"""`walsup wipe`: deletes a whole archive on an operator's request (rule wipe)."""

import asyncio
import contextlib
import signal
import time
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from walsup import units
from walsup.archive.faults import FaultError
from walsup.archive.lease_terms import longest_push_s
from walsup.archive.ownership.lease import Lease, LostError
from walsup.archive.paths import CONDITIONS_KEY, OWNER_KEY
from walsup.archive.storage.bucket import Bucket, open_bucket
from walsup.archive.storage.fault_mapping import note
from walsup.archive.wipe import exclusive_hold, wording
from walsup.archive.wipe.contents import ArchiveContents, unowned
from walsup.archive.wipe.deletion import Deletion, pages
from walsup.archive.wipe.retry import Say, once, patiently, refusal
from walsup.archive.wipe.target import Lock, WipeTarget
from walsup.errors import ArchiveError, SettingsError
from walsup.settings import ArchiveUrl, FileArchive, Settings

_AT_A_TIME = 8
_SAID_EVERY_S = 5.0


class Wanted(NamedTuple):
    """The operator's request. `even_if_fresh`: also wipe a new archive without owner."""

    known: Settings
    even_if_fresh: bool
    say: Say


def name(known: Settings) -> str:
    """Return the text to be typed: the prefix without its bucket, or the directory.

    Raises:
        SettingsError: there is no archive.
    """
    match known.archive:
        case None:
            raise SettingsError("WALSUP_ARCHIVE is not set", hint="set it as in the container")
        case ArchiveUrl(prefix=prefix):
            return prefix
        case FileArchive(directory=directory):
            return directory


def show(wanted: Wanted) -> str:
    """Return a report of the content and of what a wipe would do; nothing is changed.

    Raises:
        ArchiveError: it cannot be read, or must not be wiped.
    """
    return asyncio.run(_show(wanted))


def carry_out(wanted: Wanted) -> str:
    """Delete everything; return a report of what was deleted.

    Raises:
        ArchiveError: the wipe is not possible, or something remains.
    """
    return asyncio.run(_until_ended(wanted))


async def _show(wanted: Wanted) -> str:
    known, say = wanted.known, wanted.say
    with _opened(known) as (bucket, place):
        found = await _count(place, say)
        if found.is_empty:
            return _nothing(known)
        owner = await patiently(lambda: exclusive_hold.read_owner(bucket), say)
        lines = [f"{known.archive} holds", *wording.counted(found)]
        lines.append(wording.owned_by(owner and owner[0], found, place.now_at, known.lease_s))
        if not place.shows_versions:
            lines.append("this server does not list old versions; if it keeps any, they remain")
        lines += await _locked(place)
    lines.append(
        f"nothing was deleted. To delete all of it permanently: walsup wipe --confirm {name(known)}"
    )
    return "\n".join(lines)


async def _until_ended(wanted: Wanted) -> str:
    if task := asyncio.current_task():  # a Job that ends sends TERM, which PID 1 would ignore
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        with _opened(wanted.known) as (bucket, place):
            return await _carry_out(wanted, bucket, place)
    except LostError as lost:
        raise ArchiveError(
            f"ownership of the archive was lost during the wipe: {lost.fault.problem}",
            hint="find out which other wipe or which database uses it",
        ) from lost
    except asyncio.CancelledError:
        raise ArchiveError(
            "interrupted before it was complete",
            hint="run it again: it continues where it was interrupted",
        ) from None


async def _carry_out(wanted: Wanted, bucket: Bucket, place: WipeTarget) -> str:
    known, say = wanted.known, wanted.say
    found = await _count(place, say)
    if found.is_empty:
        return _nothing(known)
    read = await patiently(lambda: exclusive_hold.read_owner(bucket), say)
    if read is None and not wanted.even_if_fresh and (why := unowned(found, place.now_at)):
        raise ArchiveError(why.problem, hint=why.hint)
    if read and exclusive_hold.is_left(read[0]) and found.only_owner and found.owner_has_versions:
        # To claim it would write a version that, in some buckets, is locked again for days.
        sweep = Deletion(place, None, say)
        await sweep.finish((CONDITIONS_KEY, OWNER_KEY))
        return await _verdict(wanted, place, sweep, bucket)
    conditional = await patiently(
        lambda: exclusive_hold.conditional(bucket, unsafe_owner=known.unsafe_owner), say
    )
    lease = await patiently(lambda: exclusive_hold.take(conditional, known.lease_s, say), say)
    sweep = Deletion(place, lease, say)
    try:
        if read is None and found.was_claimed:
            await patiently(lambda: exclusive_hold.let_a_former_holder_find_out(lease, say), say)
        await sweep.clear()
        if not sweep.stays:
            await sweep.finish(place.kept)
    except BaseException:
        await _leave(lease, sweep)
        raise
    if sweep.stays:
        await _leave(lease, sweep)
    return await _verdict(wanted, place, sweep, bucket)


async def _leave(lease: Lease, sweep: Deletion) -> None:
    """Let the next run begin at once, unless a request may still be executed by the server."""
    if not sweep.in_doubt:
        try:
            await lease.leave()
        except Exception as raised:  # noqa: BLE001 (then the next one waits for the lease)
            note(raised)


async def _verdict(wanted: Wanted, place: WipeTarget, sweep: Deletion, bucket: Bucket) -> str:
    archive = wanted.known.archive
    gone = f"deleted: {sweep.deleted} ({units.show_bytes(sweep.deleted_bytes)})"
    if sweep.aborted:
        gone += f", unfinished uploads: {sweep.aborted}"
    if stays := sweep.stays.values():
        raise ArchiveError(f"{gone}; {wording.staying(stays)}", hint=wording.when(stays))
    for listing in (place.entries, place.names):
        async for page in pages(listing):
            if not page:
                continue
            if await patiently(lambda: exclusive_hold.read_owner(bucket), wanted.say):
                return f"{gone}; another database claimed {archive} in the meantime"
            raise ArchiveError(
                f"{gone}, but new objects appeared while deleting: {page[0].key}",
                hint="find out which program writes there, stop it, and run this again",
            )
    return f"{gone}; listings show that {archive} is empty"


async def _count(place: WipeTarget, say: Say) -> ArchiveContents:
    """Count everything, and reject what is not one archive."""
    found, said_s = ArchiveContents(), time.monotonic()
    async for page in pages(place.entries):
        found.add(page)
        if time.monotonic() - said_s > _SAID_EVERY_S:
            said_s = time.monotonic()
            say(f"counted: {found.objects + found.versions + found.markers}")
    if found.is_empty:  # a server that shows no versions may still have objects
        async for page in pages(place.names):
            found.add(page)
    async for uploads in pages(place.uploads):
        for one in uploads:
            found.add_upload(one, await once(lambda one=one: place.upload_bytes(one)))  # type: ignore[misc]
    if why := found.objection():
        raise ArchiveError(why.problem, hint=why.hint)
    return found


async def _locked(place: WipeTarget) -> list[str]:
    """Return what is locked: each version is checked, if the bucket has object lock."""
    locks = await once(place.locks)
    if locks is None:
        return ["it is not known whether some are locked: s3:GetBucketObjectLockConfiguration"]
    if not locks:
        return []
    seen: Counter[Lock] = Counter()
    async for page in pages(place.entries):
        for start in range(0, len(page), _AT_A_TIME):
            some = page[start : start + _AT_A_TIME]
            asked = (once(lambda one=one: place.lock(one)) for one in some)  # type: ignore[misc]
            seen.update(lock for lock in await asyncio.gather(*asked) if lock)
    return [f"will remain: {number} {lock}" for lock, number in sorted(seen.items())]


@contextlib.contextmanager
def _opened(known: Settings) -> Iterator[tuple[Bucket, WipeTarget]]:
    """Yield the archive as the owner object's bucket, and as a place that can be emptied."""
    name(known)
    try:
        place = _place(known)
    except FaultError as raised:
        raise refusal(raised.fault) from raised
    bucket = open_bucket(known)
    try:
        yield bucket, place
    finally:
        place.close()
        if close := getattr(bucket, "close", None):  # the process that accesses a directory
            close()


def _place(known: Settings) -> WipeTarget:
    if isinstance(known.archive, ArchiveUrl):
        from walsup.archive.wipe.s3_server import WipeServer  # noqa: PLC0415 (as above)
        from walsup.archive.wipe.s3_target import Objects  # noqa: PLC0415 (one of the two)

        server = WipeServer(known, known.archive, longest_push_s(known.lease_s))
        return Objects(server, known.archive)
    from walsup.archive.wipe.directory_target import Folder  # noqa: PLC0415 (one of the two)

    if not isinstance(known.archive, FileArchive):
        raise TypeError("there is no archive")
    return Folder(known.archive)


def _nothing(known: Settings) -> str:
    return f"{known.archive} is empty: there is nothing to wipe"
