"""Compares the listing of the WAL folder with the owner's line, one object at a time. Pure.

On one line the order of keys is the order of WAL: timelines ascend, and so do their segments.
"""

import re
from collections import deque

from walsup.archive.catalog.scope import CLOCK_SLACK_S, Round, Scope, Stamp, least_segment_bytes
from walsup.archive.listing_check.branches import Branches
from walsup.archive.listing_check.digests import Blocks, Digests
from walsup.archive.listing_check.findings import Suspect
from walsup.archive.paths import WAL_FOLDER
from walsup.archive.storage.bucket import Listed
from walsup.postgres.wal import EXTENSIONS, Kind, Segment, classify, strip_extension

MOST_SHOWN = 256
_MOST_WEAK = 32
MOST_KNOWN = 4096
DAY_S = 86400.0
# A retried push may be a little later than the segments after it; much later is suspicious.
_ORDER_SLACK_S = 10.0
_LOOK_BACK = 4096
_SEGMENT = re.compile(
    r"([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})(" + "|".join(map(re.escape, EXTENSIONS)) + ")?"
)


class WalWalk:
    """Takes the objects of the WAL folder in the order of their keys."""

    def __init__(self, scope: Scope, begin: int) -> None:
        """`begin`: number of the first segment that must exist; above the head: none must."""
        self.missing: list[tuple[int, int]] = []
        self.more_missing = 0
        self.suspects: list[Suspect] = []
        self.more_suspects = 0
        self.least_unshown = -1
        self._weak: list[Suspect] = []
        self.damaged: list[str] = []
        self.twice: dict[str, None] = {}
        self.histories: dict[str, Stamp] = {}
        self.branches = Branches(scope)
        self.objects = self.ignored = 0
        self.day = begin
        self._scope = scope
        self._begin = begin
        self._next = begin
        self._newest_at = 0.0
        self._before = ("", Stamp(0, 0.0))
        self._before_other = ""
        self._ascending: deque[tuple[str, Stamp]] = deque(maxlen=_LOOK_BACK)
        self._recent: deque[tuple[str, Stamp]] = deque(maxlen=MOST_KNOWN)
        self._by_time: deque[tuple[float, int]] = deque(maxlen=_LOOK_BACK)
        self._per_log = (1 << 32) // scope.size
        self._numbers = self._legs()
        self._blocks = Blocks(Digests(*scope.blocks))

    def _legs(self) -> dict[int, tuple[int, int]]:
        """Return the first and the last number that each timeline of the line must have."""
        legs, size = self._scope.line.legs, self._scope.size
        firsts = [leg.begin_lsn // size for leg in legs]
        lasts = [first - 1 for first in firsts[1:]] + [1 << 62]
        return {leg.timeline: span for leg, *span in zip(legs, firsts, lasts, strict=True)}  # type: ignore[misc]

    def add(self, listed: Listed) -> None:
        """Take the next object."""
        self.objects += 1
        name = listed.key[len(WAL_FOLDER) + 1 :]
        found = _SEGMENT.fullmatch(name)
        if found is None:
            self._other(name, listed)
            return
        low = int(found[3], 16)
        if low >= self._per_log:
            self.ignored += 1
            return
        timeline, number = int(found[1], 16), int(found[2], 16) * self._per_log + low
        span = self._numbers.get(timeline)
        if span is None or number > span[1]:
            self.branches.add(timeline, name, listed.changed_at)
        elif number >= span[0]:
            self._segment(name[:24], number, Stamp(listed.size_bytes, listed.changed_at), name[24:])

    def _other(self, name: str, listed: Listed) -> None:
        plain = strip_extension(name)
        kind = classify(plain)
        if kind is Kind.OTHER:
            self.ignored += "_delta" not in plain
            return
        if plain == self._before_other:
            self.twice[plain] = None
        self._before_other = plain
        timeline = int(plain[:8], 16)
        if timeline not in self._numbers:
            self.branches.add(timeline, name, listed.changed_at)
        elif kind is Kind.HISTORY:
            self.histories[plain] = Stamp(listed.size_bytes, listed.changed_at)
            if timeline == self._scope.line.timeline:
                self.branches.begun_at = listed.changed_at

    def _segment(self, name: str, number: int, stamp: Stamp, extension: str) -> None:
        if name == self._before[0]:
            self.twice[name] = None
            return
        self._before = (name, stamp)
        if not self._begin <= number <= self._scope.head:
            return
        if number > self._next:
            self._miss(self._next, number - 1)
        self._next = number + 1
        self._newest_at = max(self._newest_at, stamp.changed_at)
        self._recent.append((name, stamp))
        self._note_day(number, stamp.changed_at)
        self._look_again(self._blocks.add(number, name, stamp))
        self._judge(name, number, stamp, least_segment_bytes(extension, self._scope.size))

    def _look_again(self, changed: list[tuple[str, Stamp]]) -> None:
        """Have those objects of a block read that are not known one by one."""
        if not changed:
            return  # true after nearly every object
        scope, told = self._scope, {one.name for one in self.suspects}
        for name, stamp in changed:
            if scope.known.get(name) != stamp != scope.damaged.get(name) and name not in told:
                self._suspect(name, "block", stamp)

    def _judge(self, name: str, number: int, stamp: Stamp, least_bytes: int) -> None:
        """Decide whether an object must be read."""
        scope = self._scope
        if scope.damaged.get(name) == stamp:
            self.damaged.append(name)
        elif stamp.size_bytes == 0:
            self._suspect(name, "empty", stamp)
        elif 0 < stamp.size_bytes < least_bytes and scope.accepted.get(name) != stamp:
            self._suspect(name, "size", stamp)
        elif (known := scope.known.get(name)) is not None:
            if known != stamp:
                self._suspect(name, "rewritten", stamp)
        elif (since := scope.verified_at(number)) is not None:
            if stamp.changed_at >= since - CLOCK_SLACK_S:
                self._suspect(name, "rewritten", stamp)
        else:
            self._order(name, stamp)
            return
        self._pop_later(stamp)

    def _order(self, name: str, stamp: Stamp) -> None:
        """Compare the times of new objects with those of their successors."""
        self._pop_later(stamp)
        self._ascending.append((name, stamp))

    def _pop_later(self, stamp: Stamp) -> None:
        while self._ascending and self._ascending[-1][1].changed_at > stamp.changed_at:
            name, before = self._ascending.pop()
            late = before.changed_at > stamp.changed_at + _ORDER_SLACK_S
            if late and len(self._weak) < _MOST_WEAK:
                self._weak.append(Suspect(name, "order", before))

    def _note_day(self, number: int, at: float) -> None:
        """Remember where the newest day begins: after the last object that is a day older."""
        self._by_time.append((at, number))
        while self._by_time and self._by_time[0][0] < self._newest_at - DAY_S:
            self.day = self._by_time.popleft()[1] + 1

    def _miss(self, first: int, last: int) -> None:
        if len(self.missing) < MOST_SHOWN:
            self.missing.append((first, last))
        else:
            self.more_missing += 1
            self.missing[-1] = (self.missing[-1][0], last)

    def _suspect(self, name: str, why: str, stamp: Stamp) -> None:
        if len(self.suspects) < MOST_SHOWN:
            self.suspects.append(Suspect(name, why, stamp))
        else:
            self.more_suspects += 1
            number = Segment.parse(name, self._scope.size).number
            least = self.least_unshown
            self.least_unshown = number if least < 0 else min(least, number)

    def end(self) -> None:
        """End the listing: note what is missing up to the head."""
        self._look_again(self._blocks.end())
        self.suspects += self._weak
        if self._next <= self._scope.head:
            self._miss(self._next, self._scope.head)

    @property
    def round(self) -> Round | None:
        """Return what the next round compares with. None: nothing was compared."""
        if self._begin > self._scope.head:
            return None
        return Round(self._newest_at, self._scope.head)

    @property
    def known(self) -> dict[str, Stamp]:
        """Return the objects whose later change neither their time nor a digest would show."""
        return self._blocks.partial | {
            name: stamp
            for name, stamp in self._recent
            if stamp.changed_at >= self._newest_at - 2 * CLOCK_SLACK_S
        }

    @property
    def digests(self) -> Digests:
        """Return the digests of the blocks that were seen completely."""
        return self._blocks.digests
