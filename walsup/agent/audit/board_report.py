"""Shows what an audit has found: its section of the status, gaps, base backups, faults."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from walsup import log, units
from walsup.agent.audit import unreachable_times
from walsup.agent.audit.ledger import State
from walsup.agent.audit.restore_window import Evaluation
from walsup.agent.audit.round_result import Result
from walsup.agent.context import AgentContext
from walsup.agent.snapshot import Audit, BackupSeen, Hole
from walsup.agent.states import AuditState, BackupState
from walsup.agent.subject import Subject
from walsup.archive.faults import Fault, FaultKind
from walsup.archive.listing_check.findings import Branch, RoundFindings

_SHOWN = 3
# Three times the pause between full rounds of an archive of that size.
_DUE_PER_PAGE_S = 30.0
_LEAST_DUE_S = 600.0


def waiting(context: AgentContext, state: State) -> None:
    """Show that the first full round of this lease has not ended, with the last one's age."""
    context.board.put(
        audit=Audit(
            state=AuditState.WAITING,
            finished_at=state.finished_at,
            looked_at=state.finished_at,
            backups_from=state.backups_from,
        )
    )


def went_back(context: AgentContext, epoch: int, known_epoch: int) -> None:
    """Show that the archive was reset to an earlier state."""
    takes_backup = context.settings.initial_backup
    context.board.fault(
        Subject.HOLE,
        Fault(
            kind=FaultKind.HOLE,
            problem="the archive was reset to an earlier state: its owner object has epoch"
            f" {epoch}, but this data directory has seen epoch {known_epoch}; WAL that was verified"
            " since then may be missing, and the base backups of the archive no longer count",
            remedy="walsup takes a new base backup" if takes_backup else "take a new base backup",
        ),
    )


def pushing(context: AgentContext, name: str) -> None:
    """Show that a segment is pushed again."""
    context.board.fault(
        Subject.AUDIT,
        Fault(
            kind=FaultKind.DAMAGED,
            problem=f"segment {name} is missing or damaged in the archive after it was verified;"
            " walsup pushes it again from pg_wal",
            remedy="find out what deletes or overwrites objects below the archive's prefix",
        ),
    )


def history_file(context: AgentContext, problem: str) -> None:
    """Show that a history file in the archive is missing or wrong."""
    context.board.fault(
        Subject.AUDIT,
        Fault(
            kind=FaultKind.DAMAGED,
            problem=f"{problem}; no restore can follow that timeline without it, and walsup pushes"
            " it again from pg_wal",
            remedy="find out what deletes or overwrites objects below the archive's prefix; when"
            " the object exists and this fault stays, remove the object: the engine does not write"
            " over a history file, and walsup pushes it again then",
        ),
    )


def gaps(context: AgentContext, before: Sequence[Hole], judged: Evaluation) -> bool:
    """Show the gaps; return whether a new gap needs a base backup."""
    known_gaps = {hole.first for hole in before if not hole.covered_by}
    open_gaps = [gap for gap in judged.gaps if not gap.covered_by]
    for gap in judged.gaps:
        if gap.covered_by and gap.first not in {hole.first for hole in before}:
            log.warning("gap.found", first=gap.first, last=gap.last, covered_by=gap.covered_by)
    if not open_gaps:
        if not context.board.snapshot.audit.backups_from:
            context.board.clear(Subject.HOLE)
        return False
    gap = open_gaps[-1]
    upto = f" to {gap.last}" if gap.last != gap.first else ""
    takes_backup = context.settings.initial_backup
    context.board.fault(
        Subject.HOLE,
        Fault(
            kind=FaultKind.HOLE,
            problem=f"segment {gap.first}{upto} is missing or damaged in the archive, and is no"
            f" longer in pg_wal ({len(open_gaps)} gaps)",
            remedy="bring the objects back (from older object versions or a replica); no restore"
            " passes a gap: "
            + ("walsup takes a new base backup" if takes_backup else "take a new base backup"),
        ),
    )
    return any(one.first not in known_gaps for one in open_gaps)


def base_backup(context: AgentContext, proven: BackupSeen, problem: str) -> None:
    """Show that the base backup no longer counts."""
    takes_backup = context.settings.initial_backup
    context.board.fault(
        Subject.BACKUP,
        Fault(
            kind=FaultKind.BASE_BACKUP_DAMAGED,
            problem=f"base backup {proven.name} no longer counts: {problem}",
            remedy="find out what deletes or overwrites objects below the archive's prefix; "
            + ("walsup takes a new base backup" if takes_backup else "take a new base backup"),
        ),
    )
    context.board.put(backup=replace(proven, state=BackupState.DAMAGED))


def publish(
    context: AgentContext, findings: RoundFindings, result: Result, took_s: float, state: State
) -> None:
    """Show a round's result."""
    # A round over the newest day does not list all branches.
    if result.whole or (
        findings.branches and Subject.TIMELINE not in context.board.snapshot.faults
    ):
        _branches(context, findings.branches)
    if findings.twice:
        context.board.fault(Subject.ARCHIVE, duplicates(findings.twice))
    elif result.whole:
        context.board.clear(Subject.ARCHIVE)
    if result.unread and Subject.AUDIT not in context.board.snapshot.faults:
        context.board.fault(Subject.AUDIT, _unread(result.unread))
    elif result.is_settled:
        context.board.clear(Subject.AUDIT)
    snapshot = context.board.snapshot
    clean = (
        result.is_settled
        and not snapshot.needs_backup_from
        and Subject.TIMELINE not in snapshot.faults
    )
    first = result.oldest
    now = time.time()
    context.board.put(
        audit=replace(
            snapshot.audit,
            state=(AuditState.PASSED if clean else AuditState.FINDINGS)
            if result.whole or snapshot.audit.state != AuditState.WAITING
            else AuditState.WAITING,
            finished_at=state.finished_at,
            looked_at=now,
            took_s=round(took_s, 3),
            due_s=due_s(state.pages),
            objects=findings.objects if result.whole else snapshot.audit.objects,
            ignored=findings.ignored if result.whole else snapshot.audit.ignored,
            backups=len(findings.backups),
            from_backup=first.name if first else "",
            from_lsn=first.start_lsn if first else 0,
            until_lsn=(result.scope.head + 1) * result.scope.size,
            missing=sum(b - a + 1 for a, b in findings.missing),
            damaged=sum(b - a + 1 for a, b in result.bad)
            - sum(b - a + 1 for a, b in findings.missing),
            unread=result.unread,
        )
    )


def due_s(pages: int) -> float:
    """Return how old a full round may become before it is out of date."""
    return max(_LEAST_DUE_S, pages * _DUE_PER_PAGE_S)


def losses(context: AgentContext, judged: Evaluation) -> None:
    """Show the times that no restore reaches although it reaches later ones."""
    shown = context.board.snapshot.backup
    in_fault = shown.name if shown.state == BackupState.DAMAGED else ""
    steady = context.board.snapshot.audit.unfit_backups
    context.board.attend(
        Subject.OLDER_BASE_BACKUP, unreachable_times.backups(judged, steady, in_fault)
    )
    context.board.attend(Subject.GAP, unreachable_times.gaps(judged))


def unfit(context: AgentContext, backups: Mapping[str, str]) -> None:
    """Show which base backups do not count, for the loops that choose one."""
    audit = context.board.snapshot.audit
    if audit.unfit_backups != backups:
        for name in backups.keys() - audit.unfit_backups.keys():
            log.warning("backup.unfit", name=name, problem=backups[name])
        context.board.put(audit=replace(audit, unfit_backups=dict(backups)))


def _branches(context: AgentContext, branches: Sequence[Branch]) -> None:
    if not branches:
        context.board.clear(Subject.TIMELINE)
        return
    listed = units.abbreviate([_branch(one) for one in branches], _SHOWN, "; ")
    context.board.fault(
        Subject.TIMELINE,
        Fault(
            kind=FaultKind.FOREIGN_TIMELINE,
            problem=f"the archive has WAL that is not part of this database's history: {listed}",
            remedy="find the other server whose archive_command points to this archive, and give it"
            " another prefix; then remove what it has written here",
        ),
    )


def _branch(one: Branch) -> str:
    since = datetime.fromtimestamp(one.since, UTC).isoformat(timespec="seconds")
    backup = f", base backup {one.backup}" if one.backup else ""
    return f"timeline {one.timeline} since {since} ({one.first}, {one.objects} objects{backup})"


def duplicates(names: Sequence[str]) -> Fault:
    """Return the fault of segments that exist under two extensions."""
    return Fault(
        kind=FaultKind.OVERWRITE_CONFLICT,
        problem=f"the archive has {units.abbreviate(names, _SHOWN)} twice, in two compressions: two"
        " programs have written there",
        remedy="find the other program (another server's archive_command?), and remove what it has"
        " written; or set WALSUP_ARCHIVE to a prefix that only this database uses",
    )


def _unread(count: int) -> Fault:
    return Fault(
        kind=FaultKind.DAMAGED,
        problem=f"{count} objects may have changed after they were verified; walsup reads them"
        " again",
        remedy="find out what writes below the archive's prefix",
    )
