"""The image itself: first boot, start on an existing data directory, memory at rest.

The peer is docker-library's sequence in the same image. A round's starts are told by docker's own
clock, so that what docker takes is not part of them.
"""

import contextlib
import functools
import time
from collections.abc import Sequence

from bench.docked import Docked
from bench.figures import Measure, Row, Runs, Target
from bench.ground import Ground
from dev.containers import Daemon, image
from dev.harness import wait_until

_MS = 1000
_WITH, _WITHOUT, _PEER = "walsup, archive on", "walsup, no archive", "docker's sequence"
_ALONE = "postgres alone"
_SIDES = {_WITHOUT: ("walsup", False), _PEER: ("docker", False), _WITH: ("walsup", True)}
_MOST_MB = {"walrus": 72, "wal-g": 112}
_PROTECTED_TIMEOUT_S = 120.0


def measure(ground: Ground) -> Sequence[Row]:
    """Three rows from one image, with one daemon."""
    with Daemon():
        name = image.make(ground.machine, ground.engine)
        return [_first_boot(ground, name), _start(ground, name), _memory(ground, name)]


def _first_boot(ground: Ground, name: str) -> Row:
    """Volumes are kept to the end: ext4 is slow to make files where many were just deleted."""

    def boot(side: str, *, archive: bool) -> float:
        one = cleanup.enter_context(Docked(ground, name, side=side, archive=archive))
        took_s = one.accepts_after_s()
        one.stop()
        return took_s

    with contextlib.ExitStack() as cleanup:
        boots = {
            label: functools.partial(boot, side, archive=archive)
            for label, (side, archive) in _SIDES.items()
        }
        runs = ground.in_turn("container, first boot", boots, unit="s")
    return Row(
        name="container, first boot",
        engine=ground.engine,
        unit="s",
        walsup=runs.series(_WITHOUT),
        peer=runs.series(_PEER),
        others=(runs.series(_WITH),),
        target=Target(measure=Measure.RATIO_AT_MOST, limit=1.0),
    )


def _start(ground: Ground, name: str) -> Row:
    def again(one: Docked) -> float:
        took_s = one.accepts_after_s()
        time.sleep(1)  # walsup opens its gate meanwhile: the stop is not part of this row
        one.stop()
        return took_s * _MS

    with contextlib.ExitStack() as cleanup:
        made = {
            label: cleanup.enter_context(Docked(ground, name, side=side, archive=archive))
            for label, (side, archive) in _SIDES.items()
        }
        for one in made.values():
            again(one)
        starts = {label: functools.partial(again, one) for label, one in made.items()}
        runs = ground.in_turn("container, start", starts, unit="ms")
    return Row(
        name="container, start",
        engine=ground.engine,
        unit="ms",
        walsup=runs.series(_WITH),
        peer=runs.series(_PEER),
        others=(runs.series(_WITHOUT),),
        target=Target(measure=Measure.RATIO_AT_MOST, limit=1.5),
    )


def _memory(ground: Ground, name: str) -> Row:
    """Both rest side by side: what they share counts by halves, on both sides alike."""
    runs = Runs()
    for number in range(1, ground.rounds + 1):
        with (
            Docked(ground, name, side="walsup", archive=True) as one,
            Docked(ground, name, side="docker") as alone,
        ):
            for each in (one, alone):
                each.accepts_after_s()
            wait_until(one.is_protected, "it is protected", timeout_s=_PROTECTED_TIMEOUT_S)
            time.sleep(ground.idle_s)
            runs.add({_WITH: one.pss_mb(), _ALONE: alone.pss_mb()})
        told = ", ".join(f"{side} {found[-1]:.1f}" for side, found in runs.found.items())
        ground.say(f"container, memory {number}/{ground.rounds}: {told} MB")
    return Row(
        name="container, idle PSS",
        engine=ground.engine,
        unit="MB",
        walsup=runs.series(_WITH),
        peer=runs.series(_ALONE),
        target=Target(measure=Measure.ADDS_AT_MOST, limit=_MOST_MB[ground.engine]),
    )
