"""Reads the WAL that a restore would replay: its last records, or with `--deep` all of it.

Two segments at a time are on the disk, more only where a record is longer. They are fetched,
decompressed and decrypted by the engine.
"""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass, replace
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
from walsup.postgres.wal import (
    LONG_PAGE_HEADER_BYTES,
    Segment,
    long_page_header,
    parse_lsn,
    show_lsn,
)


@dataclass(frozen=True, slots=True)
class Damage:
    """The first segment that does not continue the WAL before it, and why."""

    name: str
    why: str

    def fault(self, last_lsn: int | None) -> str:
        """Return it as a fault. `last_lsn`: where the last record before it begins."""
        after = f", after the record at {show_lsn(last_lsn)}" if last_lsn else ""
        return (
            f"the WAL cannot be replayed past {self.name}{after} ({self.why}): bring back the right"
            " object, perhaps an older version of it; to end before it and lose all later changes,"
            f" remove it and set WALSUP_RESTORE_ACCEPT_HOLE={self.name}"
        )


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
    folder, created, before = _folder(reader), list[Created](), b""
    damage: Damage | None = None
    try:
        for number in range(first.number, selection.last.number + 1):
            segment, begin_lsn = _as(first, number), records.last_lsn or first.start_lsn
            # From the last record on: the next one may reach into this segment, or across it.
            _keep_only(folder, [_as(first, n).name for n in range(begin_lsn // first.size, number)])
            await _place(reader, selection, findings, folder, number)
            unfit = _unfit(folder, segment, selection)
            unread = unfit or await waldump.scan(
                request.pg_waldump,
                folder,
                segment,
                records,
                name=name,
                xid=xid,
                begin_lsn=begin_lsn,
            )
            # The last segment may be filled only in part.
            if unfit or (unread and number < selection.last.number):
                archived = _archived(selection, number) or segment
                damage = Damage(archived.name, unread)
                break
            more, before = _created(folder, segment, before)
            created += more
    except FaultError as raised:
        if raised.fault.kind not in PERMANENT:
            raise
        findings.faults.append(f"the WAL cannot be read: {raised}")
        return destination
    finally:
        _keep_only(folder, ())
    if damage and not _is_met(request, selection, records):
        findings.faults.append(damage.fault(records.last_lsn))
        return destination
    _tell(request, selection, findings, records, damage)
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


def _unfit(folder: Path, segment: Segment, selection: Selection) -> str:
    """Return why a file is not the segment that its name says, "" when its first page fits."""
    path = folder / segment.name
    if not path.exists():
        return "there is no such segment"
    try:
        with path.open("rb") as file:
            head = long_page_header(file.read(LONG_PAGE_HEADER_BYTES))
    except ValueError as problem:
        return str(problem)
    if head.page_lsn != segment.start_lsn or head.segment_size != segment.size:
        return f"its content is the segment at {show_lsn(head.page_lsn)}"
    if selection.backup.system_id not in (None, head.system_id):
        return f"it belongs to the cluster with system identifier {head.system_id}"
    return ""


def _is_met(request: RestoreRequest, selection: Selection, seen: Seen) -> bool:
    """Return whether the records that could be read reach the target."""
    if request.target.kind == "time":
        at = datetime.fromisoformat(request.target.value)
        return seen.last_end is not None and seen.last_end > at
    target_lsn = _target_lsn(request, selection, seen)
    return target_lsn is not None and seen.last_lsn is not None and target_lsn <= seen.last_lsn


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
    request: RestoreRequest,
    selection: Selection,
    findings: Findings,
    seen: Seen,
    damage: Damage | None,
) -> None:
    target, backup = request.target, selection.backup
    findings.unknown.clear()
    until = (
        f"the last transaction ended at {seen.last_end.isoformat(sep=' ')}" if seen.last_end else ""
    )
    last = f"the last record begins at {show_lsn(seen.last_lsn)}" if seen.last_lsn else ""
    count = selection.last.number - selection.first.number + 1
    read = f"all {count} segments were read"
    if damage:
        read = f"the segments before {damage.name} were read"
        findings.warnings.append(
            f"the target is before {damage.name}, which does not continue the WAL ({damage.why})"
        )
    findings.notes.append(
        f"{read}; "
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
    first, segment = selection.first, _archived(selection, number)
    if segment is None:
        return
    path = await reader.fetch(segment.name)
    if path.stat().st_size != first.size:
        findings.faults.append(f"{segment.name} has {path.stat().st_size} bytes, not {first.size}")
    path.replace(folder / _as(first, number).name)


def _archived(selection: Selection, number: int) -> Segment | None:
    """Return the segment of a number that postgres finds first; None: there is none."""
    wanted = selection.line.candidates(number, selection.first.size)
    return next((segment for segment in wanted if segment.name in selection.names), None)


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
