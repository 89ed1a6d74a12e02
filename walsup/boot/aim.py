"""Whether the target of a restore can be reached, and where the restore ends (S18)."""

from datetime import datetime

from walsup.archive import clock
from walsup.archive.fault import FaultError
from walsup.archive.survey import PERMANENT, Reader
from walsup.archive.window import Reach
from walsup.boot.report import Asked, Report
from walsup.boot.target import Target
from walsup.postgres.wal import parse_lsn, show_lsn


async def aim(reader: Reader, asked: Asked, report: Report, found: Reach) -> None:
    """Add to the report whether the target can be reached, and where the restore ends.

    Raises:
        FaultError: a segment could not be fetched.
    """
    wanted, end = asked.target, found.end
    if end is None:
        return
    report.ends = "end" if wanted.kind == "end" else "target"
    lack = "does not continue it" if found.broken else "is missing behind it"
    gap = f"; {found.hole.name} {lack}" if found.hole else ""
    if wanted.kind == "end" and found.hole and found.broken:
        report.faults.append(
            f"base backups before {found.hole.name} reach no further than its start, and there is"
            f" no later one ({found.broken}); to end there, and give up what comes after it, set"
            f" WALSUP_RESTORE_ACCEPT_HOLE={found.hole.name}"
        )
    elif wanted.kind == "end" and found.hole:
        report.faults.append(
            f"{found.hole.name} is missing, and later segments are there: what they hold cannot be"
            f" reached; to end before it, and give that up, set"
            f" WALSUP_RESTORE_ACCEPT_HOLE={found.hole.name}"
        )
    if wanted.kind == "lsn" and parse_lsn(wanted.value) > end.end_lsn:
        report.faults.append(
            f"LSN {wanted.value} lies behind what is archived without a gap: the nearest that can"
            f" be reached is {show_lsn(end.end_lsn)}{gap}"
        )
    if wanted.kind == "time" and asked.pg_waldump:
        try:
            report.until = await _last_commit(reader, report, asked.pg_waldump)
        except FaultError as raised:
            if raised.fault.kind not in PERMANENT:
                raise
            report.faults.append(f"whether the target can be reached is not known: {raised}")
            return
        _aim_at_time(report, wanted, gap)


def _aim_at_time(report: Report, wanted: Target, gap: str) -> None:
    """S18: a target behind the last commit is FATAL in postgres, however quiet the time was."""
    at, last = datetime.fromisoformat(wanted.value), report.until
    if last is None or last > at:
        return
    owner = report.offer.owner if report.offer else None
    complete = datetime.fromtimestamp(owner.complete_until, at.tzinfo) if owner else None
    if not gap and complete and complete >= at and _is_owners(report):
        report.ends = "quiet"
        report.warnings.append(
            f"nothing was committed between {last.isoformat(sep=' ')} and the target, and the"
            f" archive is complete until {complete.isoformat(sep=' ', timespec='seconds')}: the"
            " restore ends at the last commit"
        )
        return
    report.faults.append(
        f"the target ({wanted}) lies behind the last commit in the archive: the nearest moment that"
        f" can be reached is {last.isoformat(sep=' ')}{gap}"
    )


def _is_owners(report: Report) -> bool:
    """Tell whether the line is the one of which the owner has proven something."""
    owner = report.offer.owner if report.offer else None
    end = report.reach.end if report.reach else None
    if owner is None or end is None or report.line is None:
        return False
    return owner.timeline == report.line.timeline and owner.lsn <= end.end_lsn


async def _last_commit(reader: Reader, report: Report, pg_waldump: str) -> datetime | None:
    """Find the last commit, going back from the end; None when there is none."""
    line, first, end = report.line, report.first, report.reach.end if report.reach else None
    if line is None or first is None or end is None:
        return None
    for number in range(end.number, first.number - 1, -1):
        for segment in line.candidates(number, first.size):
            if segment.name not in report.names:
                continue
            path = await reader.fetch(segment.name)
            try:
                if (last := (await clock.commits(pg_waldump, path)).last) is not None:
                    return last
            finally:
                path.unlink(missing_ok=True)
            break
    return None
