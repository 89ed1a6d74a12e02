"""Checks everything that a restore needs before the data directory is touched; all faults at once.

A bucket that answers is not enough: the base backup is complete, every segment along the line
exists, the key is right, the target is inside the archive, the disk has room, the major version is
the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from walsup.archive.catalog import inventory
from walsup.archive.catalog.archive_reader import PERMANENT, Reader
from walsup.archive.catalog.base_backups import Backup
from walsup.archive.catalog.default_line import latest
from walsup.archive.catalog.inventory import Offer
from walsup.archive.catalog.timelines import TimelineHistory, reach
from walsup.archive.faults import FaultError
from walsup.archive.owner_record import Owner
from walsup.boot.restore import backup_choice
from walsup.boot.restore.host_checks import unfit
from walsup.boot.restore.reachability import aim
from walsup.boot.restore.restore_plan import (
    Destination,
    Findings,
    Outcome,
    Refusal,
    RestoreRequest,
    Selection,
    conclude,
)
from walsup.boot.restore.wal_scan import deep
from walsup.postgres.wal import Segment, show_lsn


@dataclass(frozen=True, slots=True)
class _NotWhole:
    """What a base backup lacks."""

    missing: tuple[str, ...]


async def examine(reader: Reader, request: RestoreRequest) -> Outcome:
    """Check everything; return the plan of the restore, or every fault that prevents it.

    Raises:
        what the bucket raises: then nothing is known, and the check has to be repeated.
    """
    offer, findings = await inventory.look(reader.bucket), Findings()
    if offer.owner is not None and offer.owner.state == "wiping":
        return Refusal.of(
            offer, findings, "the archive is being wiped, so what is left of it is incomplete"
        )
    if not offer.backups:
        return Refusal.of(
            offer,
            findings,
            "there is no finished base backup in the archive"
            + ("; its WAL alone restores nothing" if offer.timelines else ""),
        )
    try:
        line = await _line(reader, request, findings, offer)
    except (FaultError, ValueError) as fault:
        if isinstance(fault, FaultError) and fault.fault.kind not in PERMANENT:
            raise
        return Refusal.of(offer, findings, f"the timeline cannot be followed: {fault}")
    fitting, problem = backup_choice.candidates(offer, line, request.target, request.backup_name)
    if problem:
        return Refusal.of(offer, findings, problem)
    selection = await _select(reader, request, offer, line, fitting=fitting, findings=findings)
    if selection is None:
        return Refusal.of(offer, findings)
    destination = await _follow(reader, request, selection, findings)
    space_bytes = await inventory.space_bytes(reader.bucket, selection.backup)
    with_engine = replace(request, engine=reader.engine.name)
    findings.faults += unfit(with_engine, selection, space_bytes, findings)
    return conclude(offer, selection, destination, findings)


async def _line(
    reader: Reader, request: RestoreRequest, findings: Findings, offer: Offer
) -> TimelineHistory:
    """Return the line to follow: that of the named timeline, else the archive's owner's.

    Raises:
        ValueError: there is none, or it has to be named (see `latest`).
    """
    wanted, name, line = request.target, request.backup_name, None
    if wanted.timeline == "latest" or (wanted.timeline == "current" and not name):
        found = await latest(reader, offer)
        findings.warnings += found.warnings
        line = found.line
        if wanted.timeline == "latest":
            return line
    return await inventory.line(reader, backup_choice.timeline(offer, line, wanted, name))


async def _select(  # noqa: PLR0913 (each is one fact)
    reader: Reader,
    request: RestoreRequest,
    offer: Offer,
    line: TimelineHistory,
    *,
    fitting: Sequence[Backup],
    findings: Findings,
) -> Selection | None:
    """Return the first complete backup with all WAL that it needs itself.

    Faults of those before it become warnings. None: none is complete, and each is a fault.
    """
    passed_over: list[str] = []
    for backup in fitting:
        selection = await _with_its_wal(reader, request, offer, line, backup)
        if isinstance(selection, _NotWhole):
            missing = ", ".join(selection.missing)
            passed_over.append(f"base backup {backup.name} is incomplete; missing: {missing}")
            continue
        findings.warnings += passed_over
        if request.target.kind in ("xid", "name") and not request.backup_name:
            findings.warnings.append(
                f"base backups do not record whether they lie before {request.target}, so the"
                " oldest one is used; to save time, name a later one with"
                " WALSUP_RESTORE_BACKUP"
            )
        return selection
    findings.faults += passed_over
    return None


async def _with_its_wal(
    reader: Reader, request: RestoreRequest, offer: Offer, line: TimelineHistory, backup: Backup
) -> Selection | _NotWhole:
    """Return a base backup with the WAL after it. After a kill one can exist without the other."""
    links, absent = backup_choice.chain(offer, backup)
    missing = [f"{absent}, which this delta backup is based on"] if absent else []
    for link in links:
        missing += await inventory.missing_parts(reader.bucket, link.name, link.compressed_bytes)
    if missing:
        return _NotWhole(tuple(missing))
    size = inventory.size(backup)
    if not size:
        return _NotWhole(("the size of its segments",))
    start = Segment.containing(backup.start_lsn, backup.timeline, size)
    whole, short = await inventory.segments(reader.bucket, start)
    reached = reach(line, start, whole, accept_hole=request.accept_hole)
    if reached.hole is None:
        # After the last complete segment: its WAL must not be given up silently.
        number = reached.end.number + 1 if reached.end else start.number
        behind = [one for one in line.candidates(number, size) if one.name in short]
        reached = replace(reached, hole=behind[0] if behind else None)
    owner = offer.owner
    if owner is not None and owner.backups_because and _breaks(owner, line, backup):
        reached = reached.until(owner.backups_from, owner.backups_because, request.accept_hole)
    if reached.end is None or reached.end.end_lsn < backup.finish_lsn:
        lost = reached.hole or (reached.end.next() if reached.end else start)
        size_bytes = f" ({short[lost.name]} bytes)" if lost.name in short else ""
        finish = show_lsn(backup.finish_lsn)
        return _NotWhole((f"{lost.name}{size_bytes} of the WAL that it needs, up to {finish}",))
    return Selection(
        owner=owner,
        line=line,
        chain=tuple(links),
        first=start,
        last=reached.end,
        hole=reached.hole,
        broken=reached.broken,
        names=whole,
        short=short,
    )


def _breaks(owner: Owner, line: TimelineHistory, backup: Backup) -> bool:
    """Return whether the WAL of a restore has a break that the owner has recorded."""
    on_line = any(leg.timeline == owner.timeline for leg in line.legs)
    return on_line and backup.start_lsn < owner.backups_from


async def _follow(
    reader: Reader, request: RestoreRequest, selection: Selection, findings: Findings
) -> Destination:
    """Return where the recovery ends, after a look at the WAL itself.

    Raises:
        what the bucket raises.
    """
    backup, start = selection.backup, selection.first
    try:
        page = await inventory.first_page(reader, start)
    except (FaultError, ValueError) as fault:
        if isinstance(fault, FaultError) and fault.fault.kind not in PERMANENT:
            raise
        findings.faults.append(
            f"{start.name} cannot be read: {fault}; check whether it was encrypted with"
            " another key (WALG_LIBSODIUM_KEY, WALG_PGP_KEY)"
        )
        return Destination(ends="end")
    if backup.system_id not in (None, page.system_id):
        findings.faults.append(
            f"{start.name} belongs to the cluster with system identifier {page.system_id}, but"
            f" base backup {backup.name} belongs to {backup.system_id}: two databases have"
            " written to this archive"
        )
    if page.segment_size != start.size:
        findings.faults.append(
            f"{start.name} has segments of {page.segment_size} bytes, not {start.size}"
        )
    destination = await aim(reader, request, selection, findings)
    if request.deep and not findings.faults:
        return await deep(reader, request, selection, destination, findings)
    return destination
