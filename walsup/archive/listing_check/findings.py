"""The result of a round, as the worker reports it. Pure."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from walsup.archive.catalog.scope import Counted, Round, Stamp, counted_to_json, stamps


class Suspect(NamedTuple):
    """An object whose content must be read.

    `why`: its time is later than it was verified (`rewritten`), or something in its block has
    changed (`block`); it is `empty`, of an implausible `size`, or later than those after it
    (`order`).
    """

    name: str
    why: str
    stamp: Stamp


class Branch(NamedTuple):
    """Objects of a timeline that is not on the owner's line.

    `first`: the earliest of them by the bucket's clock, at `since`; `backup`: a base backup of it.
    """

    timeline: int
    first: str
    since: float
    objects: int
    backup: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundFindings:
    """The result of one round.

    `missing`: ranges of segment numbers, both ends included; `more_missing`: how many ranges were
    left out. `least_unshown`: the lowest number of the suspects that were left out, -1: none.
    `known`: the objects whose change the next round must notice although their time is not older
    than `newest_at`. `begin`: number of the segment where the round began to compare, -1: nothing
    to compare. `day`: where the newest day begins. `histories`: the history files of the line's
    timelines; a round that is not full lists only some of them.
    """

    backups: tuple[Counted, ...] = ()
    missing: tuple[tuple[int, int], ...] = ()
    more_missing: int = 0
    suspects: tuple[Suspect, ...] = ()
    more_suspects: int = 0
    damaged: tuple[str, ...] = ()
    twice: tuple[str, ...] = ()
    branches: tuple[Branch, ...] = ()
    branches_until: float = 0.0
    objects: int = 0
    ignored: int = 0
    pages: int = 0
    begin: int = -1
    day: int = 0
    round: Round | None = None
    known: dict[str, Stamp] = field(default_factory=dict)
    blocks: tuple[int, str] = (0, "")
    least_unshown: int = -1
    histories: dict[str, Stamp] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON for the agent."""
        fields: dict[str, Any] = {name: getattr(self, name) for name in RoundFindings.__slots__}
        return fields | {"backups": [counted_to_json(one) for one in self.backups]}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        """Read the findings in the agent.

        Raises:
            TypeError, ValueError, KeyError: the JSON holds something else.
        """
        fields = dict(fields)
        last, blocks = fields.pop("round"), fields.pop("blocks")
        return cls(
            backups=tuple(Counted(**one) for one in fields.pop("backups")),
            missing=tuple((int(a), int(b)) for a, b in fields.pop("missing")),
            suspects=tuple(
                Suspect(name, why, Stamp(*stamp)) for name, why, stamp in fields.pop("suspects")
            ),
            damaged=tuple(fields.pop("damaged")),
            twice=tuple(fields.pop("twice")),
            branches=tuple(Branch(*one) for one in fields.pop("branches")),
            round=Round(*last) if last else None,
            blocks=(blocks[0], blocks[1]),
            known=stamps(fields.pop("known")),
            histories=stamps(fields.pop("histories")),
            **fields,
        )
