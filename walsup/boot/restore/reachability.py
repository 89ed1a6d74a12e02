"""Whether the target of a restore can be reached, and where the restore ends (S18)."""

from datetime import datetime

from walsup.archive.catalog.inventory import PERMANENT, Reader
from walsup.archive.catalog.timelines import Reach
from walsup.archive.faults import FaultError
from walsup.boot.restore import backup_choice, wal_scan
from walsup.boot.restore.report import Asked, Report
from walsup.boot.restore.target import Target
from walsup.postgres.wal import parse_lsn, show_lsn

_NO_TARGET = "take WALSUP_RESTORE_TARGET_… away to restore to the end"


async def aim(reader: Reader, asked: Asked, report: Report, found: Reach) -> None:
    """Add to the report whether the target can be reached, and where the restore ends.

    Raises:
        FaultError: a segment could not be fetched.
    """
    wanted, end = asked.target, found.end
    if end is None:
        return
    report.ends = "end" if wanted.kind == "end" else "target"
    gap = _gap(report, found, at_end=wanted.kind == "end")
    try:
        if wanted.kind == "lsn" and parse_lsn(wanted.value) > end.start_lsn:
            await _aim_at_lsn(reader, asked, report, gap)
        if wanted.kind == "time" and asked.pg_waldump:
            report.until = await wal_scan.last_end(reader, report, asked.pg_waldump)
            _aim_at_time(report, wanted, gap)
    except FaultError as raised:
        if raised.fault.kind not in PERMANENT:
            raise
        report.faults.append(f"whether the target can be reached is not known: {raised}")
        return
    if wanted.kind in ("time", "lsn") and not asked.pg_waldump:
        report.unknown.append(
            f"whether the archive reaches {wanted}: there is no pg_waldump beside postgres"
        )
    if wanted.kind in ("xid", "name"):
        report.unknown.append(f"whether {wanted} is in the archive: only its WAL tells")


def _gap(report: Report, found: Reach, *, at_end: bool) -> str:
    """Say what ends the run of segments before its end; a fault for a restore to the end."""
    if found.hole is None:
        return ""
    name = found.hole.name
    size = report.short.get(name)
    if found.broken:
        if at_end:
            report.faults.append(
                f"base backups before {name} reach no further than its start, and there is no later"
                f" one ({found.broken}); to end there, and give up what comes after it, set"
                f" WALSUP_RESTORE_ACCEPT_HOLE={name}"
            )
        return f"; {name} does not continue it"
    if size is None:
        if at_end:
            report.faults.append(
                f"{name} is missing, and later segments are there: what they hold cannot be"
                f" reached; to end before it, and give that up, set"
                f" WALSUP_RESTORE_ACCEPT_HOLE={name}"
            )
        return f"; {name} is missing behind it"
    if at_end:
        report.faults.append(
            f"{name} has {size} bytes, too few for a segment: bring it back as it was written, an"
            " older version of it perhaps; to end before it, and give up what lies behind, remove"
            f" it and set WALSUP_RESTORE_ACCEPT_HOLE={name}"
        )
    return f"; {name} behind it has {size} bytes, too few for a segment"


async def _aim_at_lsn(reader: Reader, asked: Asked, report: Report, gap: str) -> None:
    """Recovery stops at the first record that begins there or later: there has to be one."""
    end = report.reach.end if report.reach else None
    if end is None:
        return
    lsn, last_lsn = parse_lsn(asked.target.value), None
    if asked.pg_waldump:
        last_lsn = await wal_scan.last_record(reader, report, asked.pg_waldump)
        if last_lsn is not None and last_lsn >= lsn:
            return
    elif lsn <= end.end_lsn:
        return
    nearest = f"; {_NO_TARGET}"
    if last_lsn is not None and report.backup and last_lsn >= report.backup.finish_lsn:
        nearest = f": the nearest that can be reached is {show_lsn(last_lsn)}"
    report.faults.append(
        f"LSN {asked.target.value} lies behind the last record that is archived without a gap"
        f"{nearest}{gap}"
    )


def _aim_at_time(report: Report, wanted: Target, gap: str) -> None:
    """S18: a target behind the last commit is FATAL in postgres, however quiet the time was."""
    at, last = datetime.fromisoformat(wanted.value), report.until
    if last is not None and (last > at or (last == at and not wanted.inclusive)):
        return
    owner = report.offer.owner if report.offer else None
    complete = None
    if owner and owner.complete_until and not gap and _is_owners(report):
        complete = datetime.fromtimestamp(owner.complete_until, at.tzinfo)
    if last is not None and last == at:
        report.ends = "quiet"
        report.warnings.append("nothing that is archived was committed after the target")
        return
    said = "nothing was committed after the base backup"
    if last is not None:
        said = f"nothing was committed between {_moment(last)} and the target"
    if complete and complete >= at:
        report.ends = "quiet"
        until = complete.isoformat(sep=" ", timespec="seconds")
        report.warnings.append(
            f"{said}, and the archive is complete until {until}: the restore ends at the last"
            " commit"
        )
        return
    nearest = _nearest(report, complete)
    report.faults.append(
        f"the target ({wanted}) lies behind the last commit in the archive{nearest}{gap}"
    )


def _nearest(report: Report, complete: datetime | None) -> str:
    """Give the latest moment that is reached when it is asked for."""
    backup = report.backup
    finished_at = backup_choice.finished_at(backup) if backup else None
    moments = [moment for moment in (report.until, complete) if moment]
    nearest = max(moments, default=None)
    if nearest is None or (finished_at is not None and nearest <= finished_at):
        return f"; {_NO_TARGET}"
    return f": the nearest moment that can be reached is {_moment(nearest)}"


def _moment(at: datetime) -> str:
    return at.isoformat(sep=" ", timespec="microseconds")


def _is_owners(report: Report) -> bool:
    """Tell whether the line is the one of which the owner has proven something."""
    owner = report.offer.owner if report.offer else None
    end = report.reach.end if report.reach else None
    if owner is None or end is None or report.line is None:
        return False
    return owner.timeline == report.line.timeline and owner.lsn <= end.end_lsn
