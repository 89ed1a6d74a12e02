"""Reports times that no restore can reach although it reaches newer ones. Pure.

The reason is a damaged base backup, or a gap, before a newer base backup. A loss of the disk still
loses no more than the lag, so they are points of attention and not faults.
"""

from collections.abc import Collection, Sequence

from walsup import units
from walsup.agent.audit.restore_window import Evaluation
from walsup.agent.snapshot import Hole
from walsup.archive.catalog.scope import Counted
from walsup.archive.faults import Fault, FaultKind

_SHOWN = 3
_BRING_BACK = "bring the objects back (from older object versions or a replica)"


def backups(judged: Evaluation, steady: Collection[str], in_fault: str) -> Fault | None:
    """Return the point of attention for incomplete base backups, None without one.

    `steady`: those that were incomplete in the previous round; a retention job removes the others
    in a moment. `in_fault`: the one that a fault names.
    """
    names = [name for name in judged.unfit if name in steady and name != in_fault]
    if not names:
        return None
    reasons = [f"base backup {name}: {judged.unfit[name]}" for name in names]
    shown = units.abbreviate(reasons, _SHOWN, "; ")
    return Fault(
        kind=FaultKind.BASE_BACKUP_DAMAGED,
        problem=f"{len(names)} of the base backups cannot be restored ({shown});"
        f" {_reach(judged.whole)}",
        remedy=f"{_BRING_BACK}; or delete what is left of the backup with the engine: delete target"
        f" {names[0]} --confirm",
    )


def _reach(whole: Sequence[Counted]) -> str:
    if not whole:
        return "no base backup that can be restored is left"
    first = whole[0]
    return f"restores are possible from {_end(first)} on"


def gaps(judged: Evaluation) -> Fault | None:
    """Return the point of attention for gaps before a newer base backup, None without one."""
    covered = [gap for gap in judged.gaps if gap.covered_by]
    if not covered:
        return None
    ends = {one.name: _end(one) for one in judged.whole}
    shown = units.abbreviate([_gap(gap, ends) for gap in covered], _SHOWN, "; ")
    newest = covered[-1].covered_by
    return Fault(
        kind=FaultKind.HOLE,
        problem=f"WAL is missing or damaged in the archive, and no longer in pg_wal: {shown}",
        remedy=f"{_BRING_BACK}; or, if you need no restore to a time before it, delete the older"
        f" base backups with the engine: delete before {newest} --confirm",
    )


def _gap(gap: Hole, ends: dict[str, str]) -> str:
    upto = f" to {gap.last}" if gap.last != gap.first else ""
    end = ends.get(gap.covered_by, f"the end of base backup {gap.covered_by}")
    return f"no restore reaches a time from segment {gap.first}{upto} until {end}"


def _end(backup: Counted) -> str:
    at = f" ({backup.finished_at})" if backup.finished_at else ""
    return f"the end of base backup {backup.name}{at}"
