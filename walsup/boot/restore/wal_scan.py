"""Reading the WAL that a restore would replay: its last records, or with `--deep` all of it.

At most two segments at a time are on the disk, fetched, decompressed and decrypted by the engine.
"""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from datetime import datetime
from pathlib import Path

from walsup.archive.catalog import waldump
from walsup.archive.catalog.inventory import PERMANENT, Reader
from walsup.archive.catalog.waldump import Seen
from walsup.archive.faults import FaultError
from walsup.boot.restore import late_tablespaces
from walsup.boot.restore.host_checks import not_writable
from walsup.boot.restore.report import Asked, Report
from walsup.postgres.tablespaces import creation_records, in_segment
from walsup.postgres.tablespaces.creation_records import Created
from walsup.postgres.wal import Segment, parse_lsn, show_lsn

# pg_waldump finds the files by one timeline; a page may be of an earlier one.
_AS_TIMELINE = 1


async def last_end(reader: Reader, report: Report, pg_waldump: str) -> datetime | None:
    """Give when the last transaction in reach ended, going back from the end; None: none did.

    Raises:
        FaultError: a segment could not be fetched; OSError: pg_waldump cannot be run.
    """
    async with aclosing(_backwards(reader, report, pg_waldump)) as segments:
        async for seen in segments:
            if seen.last_end is not None:
                return seen.last_end
    return None


async def last_record(reader: Reader, report: Report, pg_waldump: str) -> int | None:
    """Give where the last record in reach begins; None: there is none.

    Raises:
        as `last_end` does.
    """
    async with aclosing(_backwards(reader, report, pg_waldump)) as segments:
        async for seen in segments:
            if seen.last_lsn is not None:
                return seen.last_lsn
    return None


async def deep(reader: Reader, asked: Asked, report: Report) -> None:
    """Read all WAL from the base backup to the end, and add to the report what it holds.

    Raises:
        FaultError: the archive cannot be asked; OSError: pg_waldump cannot be run.
    """
    found, first = report.reach, report.first
    if not asked.pg_waldump or found is None or found.end is None or first is None:
        report.unknown.append("what the WAL holds: there is no pg_waldump beside postgres")
        return
    wanted, seen = asked.target, Seen()
    name = wanted.value if wanted.kind == "name" else ""
    xid = int(wanted.value) & 0xFFFFFFFF if wanted.kind == "xid" else None
    folder, created = _folder(reader), list[Created]()
    numbers, before = range(first.number, found.end.number + 1), b""
    try:
        await _place(reader, report, folder, numbers[0])
        for number in numbers:
            if number + 1 in numbers:
                await _place(reader, report, folder, number + 1)
            _keep_only(folder, [_as(first, n).name for n in (number, number + 1)])
            await waldump.scan(
                asked.pg_waldump, folder, _as(first, number), seen, name=name, xid=xid
            )
            more, before = _created(folder, _as(first, number), before)
            created += more
    except FaultError as raised:
        if raised.fault.kind not in PERMANENT:
            raise
        report.faults.append(f"the WAL cannot be read: {raised}")
        return
    finally:
        _keep_only(folder, ())
    _tell(asked, report, seen, len(numbers))
    if asked.places:
        late_tablespaces.created(
            asked, report, created, _target_lsn(asked, report, seen), not_writable
        )


def _created(folder: Path, segment: Segment, before: bytes) -> tuple[list[Created], bytes]:
    """Return the tablespaces that a segment creates, and its last pages for the next one."""
    path = folder / segment.name
    if not path.exists():
        return [], b""
    with path.open("rb") as file:
        found = creation_records.in_segment(file, segment.start_lsn, before)
        return found, in_segment.last_pages(file)


def _target_lsn(asked: Asked, report: Report, seen: Seen) -> int | None:
    """Give where the target is, as far as the WAL tells; None: not known, or at the end."""
    match asked.target.kind:
        case "lsn":
            return parse_lsn(asked.target.value)
        case "name":
            return seen.name_lsn
        case "xid":
            return seen.xid_lsn
        case "immediate":
            return report.backup.finish_lsn if report.backup else None
        case _:
            return None


def _tell(asked: Asked, report: Report, seen: Seen, count: int) -> None:
    wanted = asked.target
    report.unknown.clear()
    report.until = seen.last_end
    until = (
        f"the last transaction ended at {seen.last_end.isoformat(sep=' ')}" if seen.last_end else ""
    )
    last = f"the last record begins at {show_lsn(seen.last_lsn)}" if seen.last_lsn else ""
    report.notes.append(
        f"all {count} segments were read; "
        + (", ".join(words for words in (until, last) if words) or "there is no record in them")
    )
    at = seen.name_lsn if wanted.kind == "name" else seen.xid_lsn
    if wanted.kind not in ("name", "xid"):
        return
    if at is None:
        kind = "restore point" if wanted.kind == "name" else "end of transaction"
        report.faults.append(
            f"there is no {kind} {wanted.value} in the WAL from base backup"
            f" {report.backup.name if report.backup else '?'} to the end of the archive"
        )
        return
    finish_lsn = report.backup.finish_lsn if report.backup else 0
    if at < finish_lsn:
        report.faults.append(
            f"{wanted} is at {show_lsn(at)}, before base backup"
            f" {report.backup.name if report.backup else '?'} was finished"
            f" ({show_lsn(finish_lsn)}): name an earlier one with WALSUP_RESTORE_BACKUP"
        )
        return
    report.notes.append(f"{wanted} is in the archive, at {show_lsn(at)}")


async def _backwards(reader: Reader, report: Report, pg_waldump: str) -> AsyncGenerator[Seen, None]:
    """Give what is seen of each segment in reach, the last one first."""
    first, end = report.first, report.reach.end if report.reach else None
    if first is None or end is None:
        return
    folder = _folder(reader)
    try:
        for number in range(end.number, first.number - 1, -1):
            _keep_only(folder, ())
            await _place(reader, report, folder, number)
            seen = Seen()
            await waldump.scan(pg_waldump, folder, _as(first, number), seen)
            yield seen
    finally:
        _keep_only(folder, ())


async def _place(reader: Reader, report: Report, folder: Path, number: int) -> None:
    """Fetch the segment of a number, as postgres takes it."""
    line, first = report.line, report.first
    if line is None or first is None:
        return
    for segment in line.candidates(number, first.size):
        if segment.name in report.names:
            path = await reader.fetch(segment.name)
            if path.stat().st_size != first.size:
                report.faults.append(
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
