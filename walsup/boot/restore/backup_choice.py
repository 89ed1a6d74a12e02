"""Which base backup a restore begins with, and which line of timelines it follows. Pure."""

from collections.abc import Sequence
from datetime import datetime

from walsup.archive.catalog.base_backups import Backup
from walsup.archive.catalog.inventory import Offer
from walsup.archive.catalog.timelines import TimelineHistory
from walsup.boot.restore.target import Target
from walsup.postgres.wal import parse_lsn


def timeline(offer: Offer, line: TimelineHistory | None, wanted: Target, named: str) -> int:
    """Return the timeline to follow. `line`: the one that is followed when none is named.

    Raises:
        ValueError: no timeline has that number, or none is named and none is known.
    """
    if wanted.timeline == "current":
        fitting = [b for b in offer.backups if (b.name == named if named else _is_on(line, b))]
        before = [b for b in fitting if is_before(b, wanted)] or fitting
        return before[-1].timeline if before else 1
    if wanted.timeline == "latest":
        if line is None:
            raise ValueError("no timeline is named")
        return line.timeline
    number = int(wanted.timeline)
    if number not in offer.present:
        there = ", ".join(map(str, sorted(offer.present))) or "none"
        raise ValueError(f"there is no timeline {number} in the archive; there are: {there}")
    return number


def _is_on(line: TimelineHistory | None, backup: Backup) -> bool:
    return line is None or line.has(backup.timeline or line.timeline, backup.finish_lsn)


def finished_at(backup: Backup) -> datetime | None:
    """Return when a backup was finished; None when its sentinel does not say."""
    try:
        at = datetime.fromisoformat(backup.finished_at)
    except ValueError:
        return None
    return at if at.tzinfo else None


def is_before(backup: Backup, wanted: Target) -> bool:
    """Return whether a backup was finished before the target, as far as that is known."""
    match wanted.kind:
        case "time":
            at = finished_at(backup)
            return at is not None and at < datetime.fromisoformat(wanted.value)
        case "lsn":
            return backup.finish_lsn <= parse_lsn(wanted.value)
        case _:
            return True


def candidates(
    offer: Offer, line: TimelineHistory, wanted: Target, named: str
) -> tuple[Sequence[Backup], str]:
    """Return the usable backups, the best one first, and why there is none ("": there is one)."""
    on_line = [b for b in offer.backups if line.has(b.timeline or line.timeline, b.finish_lsn)]
    if named:
        return _named(offer, on_line, wanted, named)
    if not on_line:
        return (), f"no finished base backup leads to timeline {line.timeline}"
    before = [b for b in on_line if is_before(b, wanted)]
    if not before:
        oldest = on_line[0]
        return (), (
            f"the target ({wanted}) is before the end of the oldest usable base backup,"
            f" {oldest.name}; the earliest moment that can be reached is {oldest.finished_at}"
        )
    # Neither a transaction nor a restore point is in any sentinel.
    oldest_first = wanted.kind in ("xid", "name")
    return (before if oldest_first else before[::-1]), ""


def _named(
    offer: Offer, on_line: Sequence[Backup], wanted: Target, named: str
) -> tuple[Sequence[Backup], str]:
    found = [b for b in offer.backups if b.name == named]
    if not found:
        there = ", ".join(b.name for b in offer.backups) or "none"
        return (), f"there is no finished base backup {named}; there are: {there}"
    if found[0] not in on_line:
        return (), f"base backup {named} does not lead to the requested timeline"
    if not is_before(found[0], wanted):
        return (), f"base backup {named} was finished after the target ({wanted})"
    return found, ""


def chain(offer: Offer, backup: Backup) -> tuple[Sequence[Backup], str]:
    """Return a backup with those that it is a delta of, and the name of one that is missing."""
    by_name = {b.name: b for b in offer.backups}
    found = [backup]
    while parent := found[-1].delta_from:
        if parent not in by_name or by_name[parent] in found:
            return found, parent
        found.append(by_name[parent])
    return found, ""
