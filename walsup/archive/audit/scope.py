"""What an audit looks for: the owner's line, its verified end, what was seen before. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from walsup.archive.window import Leg, Line
from walsup.postgres.wal import Segment

# Listings tell times in seconds, and several servers behind one address have several clocks.
CLOCK_SLACK_S = 2.0


class Stamp(NamedTuple):
    """By what an object is known again: its size and the time of its last change."""

    size_bytes: int
    changed_at: float


class Round(NamedTuple):
    """The last full round: the newest object's time on the bucket's clock, and the verified end.

    An object up to `head` that has changed since `newest_at` was overwritten after it was verified.
    """

    newest_at: float
    head: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A finished base backup as it was when its parts were last compared.

    `print_of_parts` changes with any of its parts. `problem` "": it is whole. `chain`: the backup
    that it is a delta of. `system_id` 0: its sentinel does not say.
    """

    name: str
    start_lsn: int
    finish_lsn: int
    timeline: int
    system_id: int
    uploaded_at: float
    chain: str = ""
    finished_at: str = ""
    print_of_parts: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The question of one round.

    `head`: number of the last verified segment. `first`: where a round that does not look at
    everything begins, 0: everything. `window`: where the last round's window began, for an archive
    whose base backups are gone. `last`: None before the first full round. `known`: objects as they
    were verified; `damaged`: as they were found to be wrong. `branches_until`: what changed on
    other timelines up to then is known (bucket's clock).
    """

    system_id: int
    line: Line
    size: int
    head: int
    first: int = 0
    window: int = -1
    last: Round | None = None
    known: Mapping[str, Stamp] = field(default_factory=dict)
    damaged: Mapping[str, Stamp] = field(default_factory=dict)
    backups: Mapping[str, Counted] = field(default_factory=dict)
    branches_until: float = 0.0
    least_bytes: int = 1

    def segment(self, number: int) -> Segment:
        """Give the segment of the owner's line with this number."""
        return Segment(
            timeline=self.line.at(number, self.size).timeline, number=number, size=self.size
        )

    def to_json(self) -> dict[str, Any]:
        """Give it for the worker."""
        return {
            "system_id": self.system_id,
            "legs": [[leg.timeline, leg.begin_lsn, leg.end_lsn] for leg in self.line.legs],
            "size": self.size,
            "head": self.head,
            "first": self.first,
            "window": self.window,
            "last": self.last,
            "known": self.known,
            "damaged": self.damaged,
            "backups": [counted_to_json(one) for one in self.backups.values()],
            "branches_until": self.branches_until,
            "least_bytes": self.least_bytes,
        }

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        """Read it in the worker."""
        legs = tuple(
            Leg(timeline=timeline, begin_lsn=begin, end_lsn=end)
            for timeline, begin, end in fields.pop("legs")
        )
        last = fields.pop("last")
        return cls(
            line=Line(legs=legs),
            last=Round(*last) if last else None,
            known=stamps(fields.pop("known")),
            damaged=stamps(fields.pop("damaged")),
            backups={one["name"]: Counted(**one) for one in fields.pop("backups")},
            **fields,
        )


def counted_to_json(one: Counted) -> dict[str, Any]:
    """Give a backup's record; system identifiers stay numbers, only Python reads it."""
    return {name: getattr(one, name) for name in Counted.__slots__}


def stamps(fields: Mapping[str, Any]) -> dict[str, Stamp]:
    """Read names with their stamps.

    Raises:
        TypeError, ValueError: they are none.
    """
    return {str(name): Stamp(int(size), float(at)) for name, (size, at) in fields.items()}


def least_segment_bytes(compression: str, size: int) -> int:
    """Give the smallest size that a whole archived segment can have.

    Measured with a 16 MiB segment of zeros behind one page header: lz4 65,800 bytes, lzma 2,500,
    zstd 550, brotli 50. Encryption only adds to it.
    """
    match compression:
        case "none":
            return size
        case "lz4":
            return size // 260
        case "zstd":
            return max(40, size // 65536)
        case _:
            return 40
