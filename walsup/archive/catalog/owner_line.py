"""The line of timelines that the archive's owner writes, and what is not on it. Pure.

A timeline that exists is no proof: a clone that kept its archive_command writes the next timeline
into its source's archive.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from walsup.archive.catalog.timelines import TimelineHistory, TimelineSpan
from walsup.archive.owner_record import Owner
from walsup.postgres.wal import Switch


def claimed(
    wanted: Owner, before: Owner | None, timeline: int, left: Sequence[Switch] = ()
) -> Owner:
    """Return the owner object with the line of its new holder.

    `timeline`: the one it writes on; `left`: where it left those before; `before`: the object that
    is replaced. Timelines of that object which are not on the new line stay known as former ones.
    """
    former: set[int] = set()
    if before is not None and before.system_id == wanted.system_id:
        former = {before.timeline, *timelines(before), *before.former}
    own = {timeline, *(switch.timeline for switch in left)}
    return replace(
        wanted,
        own_timeline=timeline,
        left=tuple((switch.timeline, switch.switch_lsn) for switch in left),
        former=tuple(sorted(former - own)),
    )


def line_of(owner: Owner) -> TimelineHistory | None:
    """Return the line that the owner object names. None: an earlier version wrote the object."""
    if not owner.own_timeline:
        return None
    left = [Switch(timeline=n, switch_lsn=lsn, reason="") for n, lsn in owner.left]
    return TimelineHistory.of(owner.own_timeline, left)


def timelines(owner: Owner) -> tuple[int, ...]:
    """Return the timelines of the owner's line, as far as its object names them."""
    line = line_of(owner)
    return tuple(leg.timeline for leg in line.legs) if line else ()


def archived_part(line: TimelineHistory, present: Iterable[int]) -> TimelineHistory:
    """Return the line without its newest timelines that have nothing archived yet."""
    there, legs = set(present), list(line.legs)
    while len(legs) > 1 and legs[-1].timeline not in there:
        legs.pop()
    last = legs[-1]
    return TimelineHistory(
        legs=(*legs[:-1], TimelineSpan(timeline=last.timeline, begin_lsn=last.begin_lsn))
    )


def successors(owner: Owner, lines: Iterable[TimelineHistory]) -> tuple[TimelineHistory, ...]:
    """Return possible next lines of the owner: they leave its timeline after what it verified.

    Only an object without its own line needs them: its holder may have been promoted, and have
    archived some of its new timeline before it reported that.
    """
    return tuple(
        line
        for line in lines
        for leg in line.legs[:-1]
        if leg.timeline == owner.timeline and (leg.end_lsn or 0) >= owner.lsn
    )
