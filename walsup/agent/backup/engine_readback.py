"""Checks that the engine itself lists and reads a base backup, as in a restore.

walsup reads the archive with a separate client, but only the engine restores from it: the engine
may drop keys of a listing, lack the decryption key, or lack the permission to read its own objects.
"""

import time
from collections.abc import Sequence
from pathlib import Path

from walsup.archive.catalog import listing
from walsup.archive.catalog.archive_reader import Reader
from walsup.archive.catalog.base_backups import Backup
from walsup.archive.faults import UNCLEAR, Fault, FaultError, FaultKind
from walsup.archive.valid_keys import parts_folder
from walsup.postgres.wal import long_page_header, strip_extension

_TIMEOUT_S = 120.0
_HEAD_BYTES = 8192
_TAR = b"ustar"  # Source: tar(5), the magic of a header
_SHOWN = 3


async def fault_of(
    reader: Reader, place: str, backup: Backup, segment: str, *, room: bool
) -> Fault | None:
    """Return why a restore from this base backup would fail in the engine; None: it would not.

    `place`: the archive, for messages; `segment`: the last one that the backup itself needs;
    `room`: whether the scratch directory has room for it.

    Raises:
        what the bucket raises.
    """
    try:
        sizes = await _lists(reader, place, backup)
        if sizes:
            await _reads_part(reader, min(sizes, key=lambda key: (sizes[key], key)))
        await _reads_segment(reader, backup, segment, room=room)
    except FaultError as raised:
        return _disagreement(raised.fault)
    return None


async def fault_of_listing(reader: Reader, place: str, backup: Backup) -> Fault | None:
    """Return why the engine does not list this base backup; nothing is decrypted.

    Raises:
        what the bucket raises.
    """
    try:
        await _lists(reader, place, backup)
    except FaultError as raised:
        return _disagreement(raised.fault)
    return None


def _disagreement(found: Fault) -> Fault:
    return found._replace(kind=FaultKind.ENGINE_DISAGREES) if found.kind in UNCLEAR else found


async def _lists(reader: Reader, place: str, backup: Backup) -> dict[str, int]:
    """Return the sizes of the base backup's parts, once the engine has listed them too."""
    folder = parts_folder(backup.name)
    pages = reader.bucket.pages(folder)
    sizes = {one.key: one.size_bytes async for page in pages for one in page.objects}
    await _lists_backup(reader, place, backup)
    await _lists_parts(reader, folder, list(sizes))
    return sizes


async def _lists_backup(reader: Reader, place: str, backup: Backup) -> None:
    argv = reader.engine.list_backups_argv(reader.config)
    if await _unlisted(reader, argv, "backup-list", {backup.name}):
        raise _unseen(
            f"{reader.engine.name} backup-list does not show base backup {backup.name} below"
            f" {place}, where walsup sees it"
        )


async def _lists_parts(reader: Reader, folder: str, parts: Sequence[str]) -> None:
    argv = reader.engine.list_argv(reader.config, f"{folder}/")
    names = {key.rpartition("/")[2] for key in parts}
    if lost := sorted(await _unlisted(reader, argv, "st ls", names)):
        raise _unseen(
            f"{reader.engine.name} does not list {len(lost)} of the base backup's {len(parts)}"
            f" parts, such as {', '.join(lost[:_SHOWN])}"
        )


async def _reads_part(reader: Reader, key: str) -> None:
    argv = reader.engine.cat_argv(reader.config, key, compressed=strip_extension(key) != key)
    target = reader.scratch / "smallest-part"
    try:
        await _run(reader, argv, target, f"st cat of {key}")
        with target.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    finally:
        target.unlink(missing_ok=True)
    if _TAR not in head:
        raise _unseen(
            f"{reader.engine.name} reads {key}, but the result is not a tar archive: check the"
            " encryption key"
        )


async def _reads_segment(reader: Reader, backup: Backup, name: str, *, room: bool) -> None:
    if not room:
        key = await listing.key_of(reader.bucket, name)
        argv = reader.engine.cat_argv(reader.config, key, compressed=strip_extension(key) != key)
        await _run(reader, argv, Path("/dev/null"), f"st cat of {key}")
        return
    path = await reader.fetch(name)
    try:
        with path.open("rb") as file:
            page = long_page_header(file.read(_HEAD_BYTES))
    except ValueError as fault:
        raise _unseen(
            f"{reader.engine.name} fetches {name}, but the file is not a WAL segment: {fault}"
        ) from fault
    finally:
        path.unlink(missing_ok=True)
    if backup.system_id not in (None, page.system_id):
        raise _unseen(
            f"{reader.engine.name} fetches {name}, but it belongs to the cluster with system"
            f" identifier {page.system_id}; the base backup belongs to {backup.system_id}"
        )


async def _unlisted(reader: Reader, argv: Sequence[str], what: str, names: set[str]) -> set[str]:
    """Return the names that a listing by the engine lacks."""
    target = reader.scratch / "listed"
    try:
        await _run(reader, argv, target, what)
        with target.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                names = names.difference(line.split())
        return names
    finally:
        target.unlink(missing_ok=True)


async def _run(reader: Reader, argv: Sequence[str], output: Path, what: str) -> None:
    began_s = time.monotonic()
    failure = await reader.commands.run(argv, output, timeout_s=_TIMEOUT_S)
    if failure is None:
        return
    if time.monotonic() - began_s >= _TIMEOUT_S:
        # A slow network is not a disagreement: another base backup would be as slow to read.
        problem = f"{reader.engine.name} {what} did not finish within {_TIMEOUT_S:g} s"
        raise FaultError(Fault(kind=FaultKind.TIMEOUT, problem=problem))
    raise FaultError(failure.ended(f"{reader.engine.name} {what}"))


def _unseen(problem: str) -> FaultError:
    return FaultError(Fault(kind=FaultKind.ENGINE_DISAGREES, problem=problem))
