"""The line of timelines that a restore follows, and how far the archive has it. Pure.

Source: PostgreSQL 15, timeline.c and xlogrecovery.c: a segment is requested on the newest timeline
that does not begin after it, then on the older ones.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from walsup.postgres.wal import Segment, Switch


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineSpan:
    """A part of the line: a timeline from where it begins; `end_lsn` None: the last one."""

    timeline: int
    begin_lsn: int = 0
    end_lsn: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineHistory:
    """The spans from the oldest timeline to the one that is followed."""

    legs: tuple[TimelineSpan, ...]

    @classmethod
    def of(cls, timeline: int, history: Sequence[Switch]) -> "TimelineHistory":
        """Build the line from a timeline and the text of its history file."""
        legs, begin_lsn = [], 0
        for switch in history:
            legs.append(
                TimelineSpan(
                    timeline=switch.timeline, begin_lsn=begin_lsn, end_lsn=switch.switch_lsn
                )
            )
            begin_lsn = switch.switch_lsn
        return cls(legs=(*legs, TimelineSpan(timeline=timeline, begin_lsn=begin_lsn)))

    @property
    def timeline(self) -> int:
        """Return the timeline that is followed."""
        return self.legs[-1].timeline

    def at(self, number: int, size: int) -> TimelineSpan:
        """Return the span of a segment: the newest that begins in it or before it."""
        begun = (leg for leg in self.legs if leg.begin_lsn // size <= number)
        return max(begun, key=lambda leg: leg.begin_lsn)

    def has(self, timeline: int, finish_lsn: int) -> bool:
        """Return whether a base backup that ends there is on the line."""
        return any(
            leg.timeline == timeline and (leg.end_lsn is None or finish_lsn <= leg.end_lsn)
            for leg in self.legs
        )

    def candidates(self, number: int, size: int) -> tuple[Segment, ...]:
        """Return the names under which postgres requests a segment, in that order."""
        return tuple(
            Segment(timeline=leg.timeline, number=number, size=size)
            for leg in reversed(self.legs)
            if leg.begin_lsn // size <= number
            and (leg.end_lsn is None or number * size < leg.end_lsn)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How far an archive reaches: `end` is the last segment before the first gap, None: none.

    `hole`: the first segment that is missing although later ones of the line exist, or that does
    not continue the WAL before it; then `broken` says why.
    """

    end: Segment | None
    count: int = 0
    hole: Segment | None = None
    broken: str = ""

    def until(self, break_lsn: int, why: str, accept_hole: str = "") -> "Reach":
        """Return the reach when the WAL at `break_lsn` does not continue the WAL before it."""
        if self.end is None or break_lsn >= self.end.end_lsn:
            return self
        first = self.end.number - self.count + 1
        broken = replace(self.end, number=max(first, break_lsn // self.end.size))
        if broken.name == accept_hole:
            return Reach(end=broken.previous(), count=broken.number - first)
        return Reach(end=broken.previous(), count=broken.number - first, hole=broken, broken=why)


def reach(
    line: TimelineHistory, start: Segment, names: Iterable[str], *, accept_hole: str = ""
) -> Reach:
    """Follow the line from the segment `start`; `names` are the archived names from it on."""
    size = start.size
    present = _on_line(line, names, size)
    last = max((number for _, number in present), default=-1)
    number, end = start.number, None
    while found := _taken(line, number, size, present):
        if found.name == accept_hole:
            break
        end, number = found, number + 1
    hole = None
    if number <= last:
        hole = Segment(timeline=line.at(number, size).timeline, number=number, size=size)
        hole = None if hole.name == accept_hole else hole
    return Reach(end=end, count=number - start.number, hole=hole)


def is_hole(line: TimelineHistory, asked: Segment, names: Iterable[str]) -> bool:
    """Return whether an absent segment is followed by archived ones."""
    size = asked.size
    if line.at(asked.number, size).timeline != asked.timeline:
        return False  # postgres requested the newer timeline's before, and requests both
    return any(number > asked.number for _, number in _on_line(line, names, size))


def _taken(
    line: TimelineHistory, number: int, size: int, present: AbstractSet[tuple[int, int]]
) -> Segment | None:
    """Return the archived segment that postgres takes at a number, if it continues there.

    The older timeline's is taken only while the newer one has nothing after it.
    """
    owner = line.at(number, size).timeline
    for segment in line.candidates(number, size):
        if (segment.timeline, number) in present:
            later = any(timeline == owner and n > number for timeline, n in present)
            return segment if segment.timeline == owner or not later else None
    return None


def _on_line(line: TimelineHistory, names: Iterable[str], size: int) -> set[tuple[int, int]]:
    found = set()
    legs = {leg.timeline: leg for leg in line.legs}
    for name in names:
        try:
            segment = Segment.parse(name, size)
        except ValueError:
            continue
        leg = legs.get(segment.timeline)
        if leg is None or segment.number < leg.begin_lsn // size:
            continue
        if leg.end_lsn is None or segment.start_lsn < leg.end_lsn:
            found.add((segment.timeline, segment.number))
    return found


def segment_size(backup: str, start_lsn: int) -> int:
    """Return the segment size in bytes, from a backup's name and its first LSN.

    Raises:
        ValueError: the name contains no segment that fits.
    """
    name = backup.removeprefix("base_")[:24]
    for exponent in range(20, 31):
        try:
            if Segment.containing(start_lsn, int(name[:8], 16), 1 << exponent).name == name:
                return 1 << exponent
        except ValueError:
            continue
    raise ValueError(f"{backup} begins at LSN {start_lsn}, which fits no segment size")
