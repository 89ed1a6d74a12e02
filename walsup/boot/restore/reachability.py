"""Whether the target of a restore can be reached, and where the restore ends.

Rule quiet-database.
"""

from datetime import datetime

from walsup.archive.catalog.archive_reader import PERMANENT, Reader
from walsup.archive.catalog.base_backups import Backup
from walsup.archive.faults import FaultError
from walsup.archive.owner_record import Owner
from walsup.boot.restore import backup_choice, wal_scan
from walsup.boot.restore.restore_plan import Destination, Findings, RestoreRequest, Selection
from walsup.boot.restore.target import Target
from walsup.postgres.wal import parse_lsn, show_lsn

_NO_TARGET = "remove WALSUP_RESTORE_TARGET_… to restore to the end"


async def aim(
    reader: Reader, request: RestoreRequest, selection: Selection, findings: Findings
) -> Destination:
    """Return where the restore ends. An unreachable target becomes a fault.

    Raises:
        FaultError: a segment could not be fetched.
    """
    target = request.target
    to_end, last_commit = target.kind == "end", None
    ends = "end" if to_end else "target"
    gap = _gap(selection, findings, at_end=to_end)
    try:
        if target.kind == "lsn" and parse_lsn(target.value) > selection.last.start_lsn:
            await _aim_at_lsn(reader, request, selection, findings, gap)
        if target.kind == "time" and request.pg_waldump:
            last_commit = await wal_scan.last_end(reader, selection, request.pg_waldump, findings)
            ends = aim_at_time(selection, target, last_commit, findings, gap)
    except FaultError as raised:
        if raised.fault.kind not in PERMANENT:
            raise
        findings.faults.append(f"it is not known whether the target can be reached: {raised}")
        return Destination(ends=ends)
    if target.kind in ("time", "lsn") and not request.pg_waldump:
        findings.unknown.append(
            f"whether the archive reaches {target}: there is no pg_waldump beside postgres"
        )
    if target.kind in ("xid", "name"):
        findings.unknown.append(f"whether {target} is in the archive: only its WAL shows that")
    return Destination(ends=ends, last_commit=last_commit)


def _gap(selection: Selection, findings: Findings, *, at_end: bool) -> str:
    """Return what ends the run of segments before its end; a fault for a restore to the end."""
    if selection.hole is None:
        return ""
    name = selection.hole.name
    size = selection.short.get(name)
    if selection.broken:
        if at_end:
            findings.faults.append(
                f"base backups before {name} reach no further than its start, and there is no"
                f" later one ({selection.broken}); to end there and lose all later changes,"
                f" set WALSUP_RESTORE_ACCEPT_HOLE={name}"
            )
        return f"; the WAL does not continue at {name}"
    if size is None:
        if at_end:
            findings.faults.append(
                f"{name} is missing, and a restore cannot reach the later segments; to end"
                f" before it and lose all later changes, set WALSUP_RESTORE_ACCEPT_HOLE={name}"
            )
        return f"; {name} is missing after it"
    if at_end:
        findings.faults.append(
            f"{name} has {size} bytes, too few for a segment: bring back the complete object,"
            " perhaps an older version of it; to end before it and lose all later changes,"
            f" remove it and set WALSUP_RESTORE_ACCEPT_HOLE={name}"
        )
    return f"; {name} after it has {size} bytes, too few for a segment"


async def _aim_at_lsn(
    reader: Reader, request: RestoreRequest, selection: Selection, findings: Findings, gap: str
) -> None:
    """Check that a record begins at the LSN or later: recovery stops at the first such record."""
    lsn, last_lsn = parse_lsn(request.target.value), None
    if request.pg_waldump:
        last_lsn = await wal_scan.last_record(reader, selection, request.pg_waldump, findings)
        if last_lsn is not None and last_lsn >= lsn:
            return
    elif lsn <= selection.last.end_lsn:
        return
    nearest = f"; {_NO_TARGET}"
    if last_lsn is not None and last_lsn >= selection.backup.finish_lsn:
        nearest = f": the nearest LSN that can be reached is {show_lsn(last_lsn)}"
    findings.faults.append(
        f"LSN {request.target.value} is after the last record that is archived without a"
        f" gap{nearest}{gap}"
    )


def aim_at_time(
    selection: Selection,
    wanted: Target,
    last_commit: datetime | None,
    findings: Findings,
    gap: str = "",
) -> str:
    """Return how a restore to a moment ends: `target` or `quiet`.

    Rule quiet-database: a target after the last commit is FATAL in postgres, even when nothing was
    committed since. `gap`: the missing segment that ends the WAL early, for the fault.
    """
    at = datetime.fromisoformat(wanted.value)
    if last_commit is not None and (
        last_commit > at or (last_commit == at and not wanted.inclusive)
    ):
        return "target"
    owner, complete = selection.owner, None
    if owner and owner.complete_until and not gap and _is_owners(selection, owner):
        complete = datetime.fromtimestamp(owner.complete_until, at.tzinfo)
    if last_commit is not None and last_commit == at:
        findings.warnings.append("the archive holds no commit after the target")
        return "quiet"
    said = "nothing was committed after the base backup"
    if last_commit is not None:
        said = f"nothing was committed between {_moment(last_commit)} and the target"
    if complete and complete >= at:
        until = complete.isoformat(sep=" ", timespec="seconds")
        findings.warnings.append(
            f"{said}, and the archive is complete until {until}: the restore ends at the last"
            " commit"
        )
        return "quiet"
    nearest = _nearest(selection.backup, last_commit, complete)
    findings.faults.append(
        f"the target ({wanted}) is after the last commit in the archive{nearest}{gap}"
    )
    return "target"


def _nearest(backup: Backup, last_commit: datetime | None, complete: datetime | None) -> str:
    """Return the latest moment that is reached when it is the target."""
    finished_at = backup_choice.finished_at(backup)
    moments = [moment for moment in (last_commit, complete) if moment]
    nearest = max(moments, default=None)
    if nearest is None or (finished_at is not None and nearest <= finished_at):
        return f"; {_NO_TARGET}"
    return f": the nearest moment that can be reached is {_moment(nearest)}"


def _moment(at: datetime) -> str:
    return at.isoformat(sep=" ", timespec="microseconds")


def _is_owners(selection: Selection, owner: Owner) -> bool:
    """Return whether the owner has verified something of this line."""
    return owner.timeline == selection.line.timeline and owner.lsn <= selection.last.end_lsn
