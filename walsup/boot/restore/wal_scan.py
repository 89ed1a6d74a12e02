"""Reads the WAL that a restore would replay: its last records, or with `--deep` all of it.

At most two segments at a time are on the disk. They are fetched, decompressed and decrypted by the
engine.
"""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from walsup.archive.catalog import waldump
from walsup.archive.catalog.archive_reader import PERMANENT, Reader
from walsup.archive.catalog.waldump import Seen
from walsup.archive.faults import FaultError
from walsup.boot.restore import late_tablespaces
from walsup.boot.restore.host_checks import not_writable
from walsup.boot.restore.restore_plan import Destination, Findings, RestoreRequest, Selection
from walsup.postgres.tablespaces import creation_records, in_segment
from walsup.postgres.tablespaces.creation_records import Created
from walsup.postgres.wal import Segment, parse_lsn, show_lsn

# pg_waldump finds the files by one timeline; a page may be of an earlier one.
_AS_TIMELINE = 1


async def last_end(
    reader: Reader, selection: Selection, pg_waldump: str, findings: Findings
) -> datetime | None:
    """Return when the last transaction in reach ended, going back from the end; None: none did.

    Raises:
        FaultError: a segment could not be fetched; OSError: pg_waldump cannot be run.
    """
    async with aclosing(_backwards(reader, selection, pg_waldump, findings)) as segments:
        async for seen in segments:
            if seen.last_end is not None:
                return seen.last_end
    return None


async def last_record(
    reader: Reader, selection: Selection, pg_waldump: str, findings: Findings
) -> int | None:
    """Return where the last record in reach begins; None: there is none.

    Raises:
        as `last_end` does.
    """
    async with aclosing(_backwards(reader, selection, pg_waldump, findings)) as segments:
        async for seen in segments:
            if seen.last_lsn is not None:
                return seen.last_lsn
    return None


async def deep(
    reader: Reader,
    request: RestoreRequest,
    selection: Selection,
    destination: Destination,
    findings: Findings,
) -> Destination:
    """Read all WAL from the base backup to the end; return the destination with what it holds.

    Raises:
        FaultError: the archive does not answer; OSError: pg_waldump cannot be run.
    """
    if not request.pg_waldump:
        findings.unknown.append("what the WAL holds: there is no pg_waldump beside postgres")
        return destination
    first, target, records = selection.first, request.target, Seen()
    name = target.value if target.kind == "name" else ""
    xid = int(target.value) & 0xFFFFFFFF if target.kind == "xid" else None
    folder, created = _folder(reader), list[Created]()
    numbers, before = range(first.number, selection.last.number + 1), b""
    try:
        await _place(reader, selection, findings, folder, numbers[0])
        for number in numbers:
            if number + 1 in numbers:
                await _place(reader, selection, findings, folder, number + 1)
            _keep_only(folder, [_as(first, n).name for n in (number, number + 1)])
            await waldump.scan(
                request.pg_waldump, folder, _as(first, number), records, name=name, xid=xid
            )
            more, before = _created(folder, _as(first, number), before)
            created += more
    except FaultError as raised:
        if raised.fault.kind not in PERMANENT:
            raise
        findings.faults.append(f"the WAL cannot be read: {raised}")
        return destination
    finally:
        _keep_only(folder, ())
    _tell(request, selection, findings, records, len(numbers))
    if request.places:
        target_lsn = _target_lsn(request, selection, records)
        late_tablespaces.created(
            request,
            selection,
            findings,
            found=created,
            target_lsn=target_lsn,
            not_writable=not_writable,
        )
    return replace(destination, last_commit=records.last_end)


def _created(folder: Path, segment: Segment, before: bytes) -> tuple[list[Created], bytes]:
    """Return the tablespaces that a segment creates, and its last pages for the next one."""
    path = folder / segment.name
    if not path.exists():
        return [], b""
    with path.open("rb") as file:
        found = creation_records.in_segment(file, segment.start_lsn, before)
        return found, in_segment.last_pages(file)


def _target_lsn(request: RestoreRequest, selection: Selection, seen: Seen) -> int | None:
    """Return the target's position, as far as the WAL shows it; None: not known, or at the end."""
    match request.target.kind:
        case "lsn":
            return parse_lsn(request.target.value)
        case "name":
            return seen.name_lsn
        case "xid":
            return seen.xid_lsn
        case "immediate":
            return selection.backup.finish_lsn
        case _:
            return None


def _tell(
    request: RestoreRequest, selection: Selection, findings: Findings, seen: Seen, count: int
) -> None:
    target, backup = request.target, selection.backup
    findings.unknown.clear()
    until = (
        f"the last transaction ended at {seen.last_end.isoformat(sep=' ')}" if seen.last_end else ""
    )
    last = f"the last record begins at {show_lsn(seen.last_lsn)}" if seen.last_lsn else ""
    findings.notes.append(
        f"all {count} segments were read; "
        + (", ".join(words for words in (until, last) if words) or "there is no record in them")
    )
    at = seen.name_lsn if target.kind == "name" else seen.xid_lsn
    if target.kind not in ("name", "xid"):
        return
    if at is None:
        kind = "restore point" if target.kind == "name" else "end of transaction"
        findings.faults.append(
            f"there is no {kind} {target.value} in the WAL from base backup"
            f" {backup.name} to the end of the archive"
        )
        return
    if at < backup.finish_lsn:
        findings.faults.append(
            f"{target} is at {show_lsn(at)}, before base backup {backup.name} was finished"
            f" ({show_lsn(backup.finish_lsn)}): name an earlier one with WALSUP_RESTORE_BACKUP"
        )
        return
    findings.notes.append(f"{target} is in the archive, at {show_lsn(at)}")


async def _backwards(
    reader: Reader, selection: Selection, pg_waldump: str, findings: Findings
) -> AsyncGenerator[Seen, None]:
    """Yield what each segment in reach shows, the last one first."""
    first, folder = selection.first, _folder(reader)
    try:
        for number in range(selection.last.number, first.number - 1, -1):
            _keep_only(folder, ())
            await _place(reader, selection, findings, folder, number)
            seen = Seen()
            await waldump.scan(pg_waldump, folder, _as(first, number), seen)
            yield seen
    finally:
        _keep_only(folder, ())


async def _place(
    reader: Reader, selection: Selection, findings: Findings, folder: Path, number: int
) -> None:
    """Fetch the segment of a number, in the form that postgres reads."""
    first = selection.first
    for segment in selection.line.candidates(number, first.size):
        if segment.name in selection.names:
            path = await reader.fetch(segment.name)
            if path.stat().st_size != first.size:
                findings.faults.append(
                    f"{segment.name} has {path.stat().st_size} bytes, not {first.size}"
                )
            path.replace(folder / _as(first, number).name)
            return


def _as(first: Segment, number: int) -> Segment:
    return Segment(timeline=_AS_TIMELINE, number=number, size=first.size)


def _folder(reader: Reader) -> Path:
    folder = reader.scratch / "records"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _keep_only(folder: Path, names: Iterable[str]) -> None:
    """Remove what is not needed any more."""
    kept = set(names)
    for path in folder.iterdir():
        if path.name not in kept:
            path.unlink()
