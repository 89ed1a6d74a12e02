"""What every row is given: the machine, the S3 server, the engine, and how much to measure."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.figures import Runs
from dev.harness import Machine, S3Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """One engine's turn. `load_s` is one round of pgbench, `idle_s` the rest before memory."""

    machine: Machine
    s3: S3Server
    engine: str
    rounds: int
    segments: int
    load_s: int
    idle_s: float

    def in_turn(self, what: str, sides: Mapping[str, Callable[[], float]], *, unit: str) -> Runs:
        """Measure the sides A B C, B C A, C A B, telling each figure as it comes.

        What one of them leaves to be done (blocks to write, pages to free) is not always the
        same other's to pay.
        """
        runs, names = Runs(), list(sides)
        for number in range(1, self.rounds + 1):
            first = (number - 1) % len(names)
            for side in names[first:] + names[:first]:
                figure = sides[side]()
                runs.add({side: figure})
                self.say(f"{what} {number}/{self.rounds}: {side} {figure:.4g} {unit}")
        return runs

    def say(self, words: str) -> None:
        """Tell where we are."""
        print(f"{time.strftime('%H:%M:%S')} [{self.engine}] {words}", flush=True)
