"""The timeline that a standby follows, from the bucket: the owner's, and where it ends there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from walsup.archive.catalog import commit_times, listing
from walsup.archive.catalog.timelines import TimelineHistory
from walsup.archive.faults import Fault, FaultError, FaultKind
from walsup.archive.owner_record import Owner
from walsup.archive.storage.bucket import Bucket
from walsup.postgres.wal import Segment, parse_history

_ANSWER = " in the bucket: "  # of a stop's verdict


class ArchiveReader(NamedTuple):
    """The archive as `Source` reads it."""

    own: bool
    segment_size: int
    region: str | None


def _forget(_: int) -> None:
    """Keep nothing."""


def _has_ended(owner: Owner) -> bool:
    """Return whether the owner has stopped and archived everything before its end."""
    answer = owner.verdict.partition(_ANSWER)[2] if owner.verdict_boot == owner.boot else ""
    return owner.state == "stopped" and answer.startswith("yes")


@dataclass(slots=True, kw_only=True)
class Followed:
    """`timeline` 0: the archive has no owner yet. `mark`: the last contiguous segment.

    `epoch`: the highest of all owner objects that were seen here; `remember` keeps it on disk.
    """

    segment_bytes: int
    epoch: int = 0
    remember: Callable[[int], None] = _forget
    timeline: int = 0
    next_timeline: int = 0
    mark: Segment | None = None
    line: TimelineHistory | None = None

    async def look(self, bucket: Bucket) -> None:
        """Read the owner object, and list the bucket after the mark.

        Raises:
            what the bucket raises; ValueError: the owner object cannot be read.
            FaultError: its epoch is lower than one that was seen before.
        """
        owner = await commit_times.owner(bucket)
        if owner is None:
            return
        if owner.epoch < self.epoch:
            raise FaultError(
                Fault(
                    FaultKind.NOT_FOLLOWING,
                    f"the archive's owner object has epoch {owner.epoch}, but epoch {self.epoch}"
                    " was seen before: the archive was reset to an earlier state, which this"
                    " standby does not follow",
                    "find out what has reset the archive to an earlier state",
                )
            )
        if owner.epoch > self.epoch:
            self.remember(owner.epoch)
            self.epoch = owner.epoch
        if owner.timeline != self.timeline:
            self.line = None
        self.timeline, self.next_timeline = owner.timeline, owner.next_timeline
        proven = Segment.containing(owner.lsn, owner.timeline, self.segment_bytes).previous()
        if self.mark is None or (self.mark.timeline, self.mark.number) < (
            proven.timeline,
            proven.number,
        ):
            self.mark = proven
        if _has_ended(owner):
            self.mark = proven  # later objects are another program's
        else:
            self.mark = (await listing.advance(bucket, self.mark)).mark

    def learn(self, history: str) -> None:
        """Record the history file of the owner's timeline."""
        self.line = TimelineHistory.of(self.timeline, parse_history(history))

    def is_read(self, replay_lsn: int, awaited: str) -> bool:
        """Return whether everything that was listed is replayed.

        `awaited`: the segment that postgres waits for. A record may continue after the last
        archived byte: then replay ends before that record.
        """
        if self.mark is None:
            return False
        if replay_lsn >= self.mark.end_lsn:
            return True
        try:
            segment = Segment.parse(awaited, self.segment_bytes)
        except ValueError:
            return False
        return segment.number > self.mark.number and replay_lsn >= self.mark.start_lsn

    async def gap(self, bucket: Bucket) -> str:
        """Return which segment is missing although later ones of its timeline exist, "": none.

        Raises:
            what the bucket raises.
        """
        if self.mark is None:
            return ""
        missing = self.mark.next()
        async for name in listing.from_name(bucket, missing.name):
            try:
                later = Segment.parse(name, self.segment_bytes)
            except ValueError:
                continue
            if later.timeline != missing.timeline or later.number == missing.number:
                return ""
            return f"{missing.name} is missing in the archive, and {later.name} is there"
        return ""

    async def has_taken(self, bucket: Bucket, number: int) -> bool:
        """Return whether a timeline's number is used: claimed, or any object has it."""
        if number <= self.next_timeline:
            return True
        async for name in listing.from_name(bucket, f"{number:08X}"):
            return name.startswith(f"{number:08X}")
        return False

    @property
    def timelines(self) -> tuple[int, ...]:
        """The timelines that lead to the owner's, as far as they are known."""
        return tuple(leg.timeline for leg in self.line.legs) if self.line else (self.timeline,)
