"""The scope of an audit: the owner's line, its verified end, what was seen before. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from walsup.archive.catalog.timelines import TimelineHistory, TimelineSpan
from walsup.postgres.wal import Segment

# Listings give times in seconds, and several servers behind one address have several clocks.
CLOCK_SLACK_S = 2.0


class Stamp(NamedTuple):
    """Identifies an object's version: its size and the time of its last change."""

    size_bytes: int
    changed_at: float


class Round(NamedTuple):
    """The last full round: the newest object's time (the bucket's clock), and the verified end.

    An object up to `head` that has changed since `newest_at` was overwritten after it was verified.
    """

    newest_at: float
    head: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A finished base backup, as it was when its parts were last compared.

    `print_of_parts` changes with any of its parts; `whole_print` is its value when the backup was
    complete. `problem` "": the backup itself is complete. `chain`: the backup that this delta is
    based on; `chain_problem`: why that one makes it unfit. `system_id` 0: the sentinel does not
    name it.
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
    whole_print: str = ""
    chain_problem: str = ""

    @property
    def unfit(self) -> str:
        """Return why the backup does not count, "" when it does."""
        return self.problem or self.chain_problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The request of one round.

    `head`: number of the last verified segment. `first`: where a partial round begins, 0: a full
    round. `window`: where the last round's window began, for an archive whose base backups are
    gone. `last`: None before the first full round; `blocks`: its digests. `reread`: a later round,
    valid for the segments up to its head; what comes after them is still being read. `known`:
    objects as they were verified; `accepted`: those that were read; `damaged`: as they were found
    to be wrong. `branches_until`: what changed on other timelines until then is known (bucket's
    clock).

    `last`: None before the first full round; `blocks`: its digests. `reread`: a later round, for
    the segments up to its head; what comes after them is still being read. `known`: objects as they
    were verified; `accepted`: those that were read; `damaged`: as they were found to be wrong.
    `branches_until`: what changed on other timelines up to then is known (bucket's clock).
    """

    system_id: int
    line: TimelineHistory
    size: int
    head: int
    first: int = 0
    window: int = -1
    last: Round | None = None
    reread: Round | None = None
    blocks: tuple[int, str] = (0, "")
    known: Mapping[str, Stamp] = field(default_factory=dict)
    accepted: Mapping[str, Stamp] = field(default_factory=dict)
    damaged: Mapping[str, Stamp] = field(default_factory=dict)
    backups: Mapping[str, Counted] = field(default_factory=dict)
    branches_until: float = 0.0

    def verified_at(self, number: int) -> float | None:
        """Return the bucket's time of the last round that compared a segment. None: no round did.

        While a round's objects are still being read, `reread` is valid for those up to its head.
        """
        if self.last is None or number > self.last.head:
            return None
        if self.reread is not None and number <= self.reread.head:
            return self.reread.newest_at
        return self.last.newest_at

    def segment(self, number: int) -> Segment:
        """Return the segment of the owner's line with this number."""
        return Segment(
            timeline=self.line.at(number, self.size).timeline, number=number, size=self.size
        )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON for the worker."""
        return {
            "system_id": self.system_id,
            "legs": [[leg.timeline, leg.begin_lsn, leg.end_lsn] for leg in self.line.legs],
            "size": self.size,
            "head": self.head,
            "first": self.first,
            "window": self.window,
            "last": self.last,
            "reread": self.reread,
            "blocks": self.blocks,
            "known": self.known,
            "accepted": self.accepted,
            "damaged": self.damaged,
            "backups": [counted_to_json(one) for one in self.backups.values()],
            "branches_until": self.branches_until,
        }

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        """Read the scope in the worker."""
        legs = tuple(
            TimelineSpan(timeline=timeline, begin_lsn=begin, end_lsn=end)
            for timeline, begin, end in fields.pop("legs")
        )
        last, reread, blocks = (fields.pop(name) for name in ("last", "reread", "blocks"))
        return cls(
            line=TimelineHistory(legs=legs),
            last=Round(*last) if last else None,
            reread=Round(*reread) if reread else None,
            blocks=(blocks[0], blocks[1]),
            known=stamps(fields.pop("known")),
            accepted=stamps(fields.pop("accepted")),
            damaged=stamps(fields.pop("damaged")),
            backups={one["name"]: Counted(**one) for one in fields.pop("backups")},
            **fields,
        )


def counted_to_json(one: Counted) -> dict[str, Any]:
    """Return a backup's record; system identifiers stay numbers, only Python reads it."""
    return {name: getattr(one, name) for name in Counted.__slots__}


def stamps(fields: Mapping[str, Any]) -> dict[str, Stamp]:
    """Read names with their stamps.

    Raises:
        TypeError, ValueError: the JSON holds something else.
    """
    return {str(name): Stamp(int(size), float(at)) for name, (size, at) in fields.items()}


def least_segment_bytes(extension: str, size: int) -> int:
    """Return the smallest possible size of a complete archived segment with this extension.

    Measured with a 16 MiB segment of zeros after one page header: lz4 65,800 bytes, lzma 2,500,
    zstd 550, brotli 50. Encryption only adds to it.
    """
    match extension:
        case "":
            return size
        case ".lz4":
            return size // 260
        case ".zst":
            return max(40, size // 65536)
        case _:
            return 40
