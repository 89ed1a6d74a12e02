"""Decides what a miss of restore_command means, from a listing of the archive. Pure."""

import enum
from collections.abc import Set as AbstractSet

from walsup.archive.catalog.timelines import TimelineHistory, is_hole
from walsup.postgres.wal import Segment


class Miss(enum.Enum):
    """THERE: it is archived, but was not fetched. LOST: an earlier segment is no longer there."""

    THERE = "there"
    ABSENT = "absent"
    END = "end"
    HOLE = "hole"
    LOST = "lost"


def meaning_of(  # noqa: PLR0911, PLR0913 (a list of cases; each is one fact)
    name: str,
    line: TimelineHistory,
    first: Segment,
    listed: AbstractSet[str],
    accept_hole: str,
    *,
    until: Segment | None = None,
) -> Miss:
    """Return what a miss of a WAL file means.

    `first`: the segment with which the restore begins. `until`: the last one that it may take.
    `listed`: the names, without extension, of all that is archived from `listed_from` on. ABSENT
    lets postgres look elsewhere.
    """
    asked = _segment(name, first.size)
    if asked is not None and until is not None and asked.number > until.number:
        return Miss.END
    if name in listed:
        return Miss.THERE
    if asked is None:
        return Miss.ABSENT
    if all(leg.timeline != asked.timeline for leg in line.legs):
        return Miss.ABSENT
    if asked.number > first.number:
        before = line.candidates(asked.number - 1, first.size)
        # A listing that does not show what was fetched a moment ago proves nothing.
        if not any(segment.name in listed for segment in before):
            return Miss.LOST
    owner = line.at(asked.number, first.size)
    if asked.timeline != owner.timeline:
        return Miss.ABSENT
    if name != accept_hole and is_hole(line, asked, listed):
        return Miss.HOLE
    older = line.candidates(asked.number, first.size)
    if any(segment.name in listed for segment in older):
        return Miss.ABSENT  # an older timeline has it: nothing follows it there
    return Miss.END


def listed_from(name: str, line: TimelineHistory, first: Segment) -> str:
    """Return the name from which the archive has to be listed to decide about a miss."""
    asked = _segment(name, first.size)
    if asked is None:
        return name[:8]
    number = max(asked.number - 1, 0)
    around = (*line.candidates(number, first.size), *line.candidates(asked.number, first.size))
    return min((segment.name for segment in around), default=name)


def _segment(name: str, size: int) -> Segment | None:
    try:
        return Segment.parse(name, size)
    except ValueError:
        return None
