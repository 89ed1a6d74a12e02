"""Everything that a restore needs, proven before the data directory is touched; all faults at once.

Reachable is not enough: base backup whole, every segment present along the line, the key right,
the target inside the archive, room on the disk, the same major version.
"""

from collections.abc import Sequence
from dataclasses import replace

from walsup.archive.catalog import inventory
from walsup.archive.catalog.default_line import latest
from walsup.archive.catalog.inventory import PERMANENT, Offer, Reader
from walsup.archive.catalog.listing import Backup
from walsup.archive.catalog.timelines import Line, reach
from walsup.archive.faults import FaultError
from walsup.archive.owner_record import Owner
from walsup.boot.restore import backup_choice
from walsup.boot.restore.host_checks import unfit
from walsup.boot.restore.reachability import aim
from walsup.boot.restore.report import Asked, Report
from walsup.boot.restore.wal_scan import deep
from walsup.postgres.wal import Segment, show_lsn


async def examine(reader: Reader, asked: Asked) -> Report:
    """Look at everything.

    Raises:
        what the bucket raises: then nothing is known, and it has to be asked again.
    """
    report = Report(offer=(offer := await inventory.look(reader.bucket)))
    if offer.owner is not None and offer.owner.state == "wiping":
        report.faults.append("the archive is being wiped: what is left of it is not whole")
        return report
    if not offer.backups:
        report.faults.append(
            "there is no finished base backup in the archive"
            + ("; its WAL alone restores nothing" if offer.timelines else "")
        )
        return report
    try:
        report.line = await _line(reader, asked, report, offer)
    except (FaultError, ValueError) as fault:
        if isinstance(fault, FaultError) and fault.fault.kind not in PERMANENT:
            raise
        report.faults.append(f"the timeline cannot be followed: {fault}")
        return report
    fitting, problem = backup_choice.candidates(offer, report.line, asked.target, asked.named)
    if problem:
        report.faults.append(problem)
        return report
    await _choose(reader, asked, report, fitting)
    if report.backup is None or report.line is None:
        return report
    await _follow(reader, asked, report)
    report.space_bytes = await inventory.space_bytes(reader.bucket, report.backup)
    report.faults += unfit(replace(asked, engine=reader.engine.name), report)
    return report


async def _line(reader: Reader, asked: Asked, report: Report, offer: Offer) -> Line:
    """Give the line to follow: that of the timeline that is named, else the archive's owner's.

    Raises:
        ValueError: there is none, or it has to be named; as `latest` does.
    """
    wanted, line = asked.target, None
    if wanted.timeline == "latest" or (wanted.timeline == "current" and not asked.named):
        found = await latest(reader, offer)
        report.warnings += found.warnings
        line = found.line
        if wanted.timeline == "latest":
            return line
    return await inventory.line(reader, backup_choice.timeline(offer, line, wanted, asked.named))


async def _choose(reader: Reader, asked: Asked, report: Report, fitting: Sequence[Backup]) -> None:
    """Take the first that is whole, with all WAL that it needs itself; the others are told."""
    told: list[str] = []
    for backup in fitting:
        links, absent = (
            backup_choice.chain(report.offer, backup) if report.offer else ((backup,), "")
        )
        lost = [f"{absent}, of which it is a delta"] if absent else []
        for link in links:
            lost += await inventory.missing_parts(reader.bucket, link.name, link.compressed_bytes)
        if not lost:
            lost = await _own_wal(reader, asked, report, backup)
        if lost:
            told.append(f"base backup {backup.name} is not whole; missing: {', '.join(lost)}")
            continue
        report.backup, report.chain = backup, tuple(links)
        report.warnings += told
        if asked.target.kind in ("xid", "name") and not asked.named:
            report.warnings.append(
                f"no base backup says whether it lies before {asked.target}: the oldest one is"
                " taken; name a later one with WALSUP_RESTORE_BACKUP to save time"
            )
        return
    report.faults += told


async def _own_wal(reader: Reader, asked: Asked, report: Report, backup: Backup) -> list[str]:
    """Give what is missing of the WAL up to its end; a kill may come between the two."""
    size, line = inventory.size(backup), report.line
    if not size or line is None:
        return ["the size of its segments"]
    start = Segment.containing(backup.start_lsn, backup.timeline, size)
    whole, short = await inventory.segments(reader.bucket, start)
    report.names, report.short, report.first = whole, short, start
    found = reach(line, start, report.names, accept_hole=asked.accept_hole)
    if found.hole is None:
        # Behind the last whole one: what it held is not to be given up in silence.
        number = found.end.number + 1 if found.end else start.number
        behind = [one for one in line.candidates(number, size) if one.name in short]
        found = replace(found, hole=behind[0] if behind else None)
    owner = report.offer.owner if report.offer else None
    if owner is not None and owner.backups_because and _breaks(owner, line, backup):
        found = found.until(owner.backups_from, owner.backups_because, asked.accept_hole)
    report.reach = found
    if found.end is not None and found.end.end_lsn >= backup.finish_lsn:
        return []
    lost = found.hole or (found.end.next() if found.end else start)
    size_bytes = f" ({short[lost.name]} bytes)" if lost.name in short else ""
    return [f"{lost.name}{size_bytes} of its own WAL, up to {show_lsn(backup.finish_lsn)}"]


def _breaks(owner: Owner, line: Line, backup: Backup) -> bool:
    """Return whether the WAL that a restore would read is broken where the owner says."""
    on_line = any(leg.timeline == owner.timeline for leg in line.legs)
    return on_line and backup.start_lsn < owner.backups_from


async def _follow(reader: Reader, asked: Asked, report: Report) -> None:
    backup, start, found = report.backup, report.first, report.reach
    if backup is None or start is None or found is None:
        return
    try:
        page = await inventory.first_page(reader, start)
    except (FaultError, ValueError) as fault:
        if isinstance(fault, FaultError) and fault.fault.kind not in PERMANENT:
            raise
        report.faults.append(
            f"{start.name} cannot be read, is it encrypted with another key (WALG_LIBSODIUM_KEY,"
            f" WALG_PGP_KEY)? {fault}"
        )
        return
    if backup.system_id not in (None, page.system_id):
        report.faults.append(
            f"{start.name} is of the cluster with system identifier {page.system_id}, base backup"
            f" {backup.name} of {backup.system_id}: two databases have written there"
        )
    if page.segment_size != start.size:
        report.faults.append(
            f"{start.name} has segments of {page.segment_size} bytes, not {start.size}"
        )
    await aim(reader, asked, report, found)
    if asked.deep and not report.faults:
        await deep(reader, asked, report)
