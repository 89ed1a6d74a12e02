"""Derives the restorable window from the findings of a round. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from walsup.agent.snapshot import Hole
from walsup.archive.catalog.scope import Counted, Scope
from walsup.archive.listing_check.findings import RoundFindings
from walsup.postgres.wal import Segment

Stretch = tuple[int, int]


class Evaluation(NamedTuple):
    """The base backups that count, oldest first, the others with the reason, and the gaps.

    `whole`: those that can be restored: `good`, and those before a break in continuity.
    """

    good: tuple[Counted, ...]
    unfit: Mapping[str, str]
    gaps: tuple[Hole, ...]
    whole: tuple[Counted, ...] = ()


def merged(stretches: Iterable[Stretch]) -> tuple[Stretch, ...]:
    """Join stretches of segment numbers that overlap or touch."""
    joined: list[Stretch] = []
    for first, last in sorted(stretches):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return tuple(joined)


def both(one: Iterable[Stretch], other: Sequence[Stretch]) -> tuple[Stretch, ...]:
    """Return the segment numbers that are in both."""
    common = ((max(first, begin), min(last, end)) for first, last in one for begin, end in other)
    return merged((first, last) for first, last in common if first <= last)


def minus(stretches: Iterable[Stretch], others: Iterable[Stretch]) -> tuple[Stretch, ...]:
    """Return the segment numbers that are in none of the others."""
    left = merged(stretches)
    for begin, end in others:
        left = tuple(
            (first, last)
            for a, b in left
            for first, last in ((a, min(b, begin - 1)), (max(a, end + 1), b))
            if first <= last
        )
    return merged(left)


def without(stretches: Iterable[Stretch], numbers: Iterable[int]) -> tuple[Stretch, ...]:
    """Return the stretches without some of their numbers."""
    return minus(stretches, ((number, number) for number in numbers))


def numbers_of(names: Iterable[str], size: int) -> tuple[Stretch, ...]:
    """Return the numbers of these segments as stretches."""
    numbers = (Segment.parse(name, size).number for name in names)
    return merged((number, number) for number in numbers)


def evaluate(  # noqa: PLR0913 (each is one fact)
    scope: Scope,
    findings: RoundFindings,
    bad: Sequence[Stretch],
    before: Sequence[Hole],
    *,
    since_lsn: int,
    fresh: str,
) -> Evaluation:
    """Decide which base backups count and where the gaps are.

    `bad`: the segments that are missing or damaged, and no longer in pg_wal; `before`: the gaps
    known so far; base backups before `since_lsn` do not count. `fresh`: one that was verified after
    the round had listed them, "" for none.
    """
    whole: list[Counted] = []
    unfit: dict[str, str] = {}
    for backup in sorted(findings.backups, key=lambda one: one.start_lsn):
        if not is_ours(scope, backup):
            continue
        if problem := backup.unfit or _wal_problem(scope, backup, bad):
            unfit[backup.name] = problem
        else:
            whole.append(backup)
    good = [backup for backup in whole if backup.start_lsn >= since_lsn]
    # A restore may begin with one that no longer counts, and end before a gap.
    first = whole[0].start_lsn // scope.size if whole else 0
    looked_at = _Seen(findings.begin, scope.head, first)
    late = [hole for hole in before if fresh and hole.covered_by == fresh]
    gaps = [
        _gap(scope, stretch, good, late)
        for stretch in bad
        if stretch[1] >= first and findings.begin >= 0
    ]
    gaps += [_covered(gap, good, fresh) for gap in before if looked_at.keeps(gap, scope.size, bad)]
    gaps.sort(key=lambda gap: gap.end_lsn)
    return Evaluation(tuple(good), unfit, tuple(gaps), tuple(whole))


def is_ours(scope: Scope, backup: Counted) -> bool:
    """Whether a base backup is of this cluster and on the owner's line."""
    return backup.system_id in (0, scope.system_id) and (
        backup.timeline == 0 or scope.line.has(backup.timeline, backup.finish_lsn)
    )


def _wal_problem(scope: Scope, backup: Counted, bad: Sequence[Stretch]) -> str:
    """Return which WAL is missing that a backup needs to become consistent, "" for none."""
    needed = (backup.start_lsn // scope.size, max(0, backup.finish_lsn - 1) // scope.size)
    missing = both([needed], bad)
    return (
        f"segment {scope.segment(missing[0][0]).name}, which it needs, is lost" if missing else ""
    )


def _gap(scope: Scope, stretch: Stretch, good: Sequence[Counted], late: Sequence[Hole]) -> Hole:
    first, last = stretch
    end_lsn = (last + 1) * scope.size
    gap = Hole(
        first=scope.segment(first).name,
        last=scope.segment(last).name,
        end_lsn=end_lsn,
        covered_by=next((hole.covered_by for hole in late if hole.end_lsn >= end_lsn), ""),
    )
    return _covered(gap, good, gap.covered_by)


def _covered(gap: Hole, good: Sequence[Counted], fresh: str) -> Hole:
    by = next((one.name for one in good if one.start_lsn >= gap.end_lsn), "")
    kept = gap.covered_by if gap.covered_by == fresh else ""
    return Hole(first=gap.first, last=gap.last, end_lsn=gap.end_lsn, covered_by=by or kept)


class _Seen(NamedTuple):
    """The range that a round has listed. `first`: number where the oldest whole backup begins."""

    begin: int
    head: int
    first: int

    def keeps(self, gap: Hole, size: int, bad: Sequence[Stretch]) -> bool:
        """Return whether a known gap remains and is not among the new ones."""
        first, last = Segment.parse(gap.first, size).number, gap.end_lsn // size - 1
        if both([(first, last)], bad):
            return False  # it is among the new ones
        if last < self.first:
            return False  # no base backup before it is left: no restore passes it
        return not (0 <= self.begin <= first and last <= self.head)
