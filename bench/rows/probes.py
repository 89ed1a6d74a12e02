"""What a probe costs, with nothing waiting and with 100,000 files that wait for the archiver.

The files have names that PostgreSQL's archiver passes over: no segment stands behind them.
"""

import statistics
import time
from collections.abc import Sequence

from bench.figures import Measure, Row, Runs, Target
from bench.ground import Ground
from bench.side import ThroughWalsup
from dev.harness import Walsup

_FILES = 100_000
_REQUESTS = 100
_PATHS = ("/livez", "/readyz", "/status", "/metrics")
_MS = 1000
_MANY, _NONE = "100,000 .ready", "none"


def measure(ground: Ground) -> Sequence[Row]:
    """One walsup; each round asks with none, then with many."""
    runs = {path: Runs() for path in _PATHS}
    with ThroughWalsup(ground) as side:
        folder = side.pgdata / "pg_wal" / "archive_status"
        names = [folder / f"bench{number:08}.ready" for number in range(_FILES)]
        for number in range(1, ground.rounds + 1):
            for state in (_NONE, _MANY):
                if state == _MANY:
                    for name in names:
                        name.touch()
                wanted = _FILES if state == _MANY else 0
                _wait_counted(side.walsup, wanted)
                figures = {path: _ask(side.walsup, path) for path in _PATHS}
                for path, figure in figures.items():
                    runs[path].add({state: figure})
                told = ", ".join(f"{path} {figure:.2f}" for path, figure in figures.items())
                ground.say(f"probes {number}/{ground.rounds}: {state}: {told} ms")
            for name in names:
                name.unlink()
    return [
        Row(
            name=f"probe {path}",
            engine=ground.engine,
            unit="ms",
            walsup=found.series(_MANY),
            peer=found.series(_NONE),
            target=Target(measure=Measure.RATIO_AT_MOST, limit=1.2),
        )
        for path, found in runs.items()
    ]


def _wait_counted(walsup: Walsup, files: int) -> None:
    def counted() -> bool:
        seen = int(walsup.http("/status")[1]["waiting"]["ready"])
        return seen >= files if files else seen < _FILES // 2

    walsup.wait_for(counted, f"{files} files are counted", timeout_s=60)


def _ask(walsup: Walsup, path: str) -> float:
    """The median of many requests, each over a connection of its own as kubelet does."""
    took: list[float] = []
    for _ in range(_REQUESTS):
        began_s = time.monotonic()
        status, body = walsup.http(path)
        took.append(time.monotonic() - began_s)
        if status != 200:  # noqa: PLR2004 (HTTP's word for yes)
            raise AssertionError(f"{path} answered {status}: {body}")
    return statistics.median(took) * _MS
