"""What a row of the table holds, and how it is judged."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum


class Measure(Enum):
    """Which figure of a row is held against its limit."""

    RATIO_AT_MOST = "≤ {limit:g}\N{MULTIPLICATION SIGN}"
    RATIO_AT_LEAST = "≥ {limit:g}\N{MULTIPLICATION SIGN}"
    ADDS_AT_MOST = "adds ≤ {limit:g}"
    AT_MOST = "≤ {limit:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A limit from the issue; one on a difference or a figure has the row's unit."""

    measure: Measure
    limit: float

    def __str__(self) -> str:
        return self.measure.value.format(limit=self.limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One side of a row: its name and what each round gave."""

    name: str
    runs: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle of the runs."""
        return statistics.median(self.runs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """walsup against a peer, in the same unit; `others` are printed and not judged."""

    name: str
    engine: str
    unit: str
    walsup: Series
    peer: Series | None = None
    others: tuple[Series, ...] = ()
    target: Target | None = None

    @property
    def ratio(self) -> float | None:
        """walsup's median in terms of the peer's."""
        return self.walsup.median / self.peer.median if self.peer else None

    @property
    def holds(self) -> bool | None:
        """The target is met; None without one."""
        if self.target is None:
            return None
        figure, limit = self._judged(), self.target.limit
        return figure >= limit if self.target.measure is Measure.RATIO_AT_LEAST else figure <= limit

    def _judged(self) -> float:
        match self.target:
            case Target(measure=Measure.RATIO_AT_MOST | Measure.RATIO_AT_LEAST):
                return self.ratio if self.ratio is not None else float("nan")
            case Target(measure=Measure.ADDS_AT_MOST):
                return self.walsup.median - (self.peer.median if self.peer else 0.0)
            case _:
                return self.walsup.median


@dataclass(frozen=True, slots=True)
class Runs:
    """Rounds of several sides, gathered while they are measured in turn."""

    found: dict[str, list[float]] = field(default_factory=dict)

    def add(self, figures: Mapping[str, float]) -> None:
        """Take one round's figures, by side."""
        for side, figure in figures.items():
            self.found.setdefault(side, []).append(figure)

    def series(self, side: str) -> Series:
        """The runs of one side."""
        return Series(name=side, runs=tuple(self.found[side]))

    def all(self, sides: Sequence[str]) -> tuple[Series, ...]:
        """The runs of several."""
        return tuple(self.series(side) for side in sides)
