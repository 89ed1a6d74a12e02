"""First boot: from an empty volume to the first reply over TCP."""

import functools
import time
from collections.abc import Sequence

from bench import probe
from bench.boot import Boot
from bench.figures import Measure, Row, Target
from bench.ground import Ground

_WITH, _WITHOUT, _PEER = "walsup, archive on", "walsup, no archive", "docker's sequence"


def measure(ground: Ground) -> Sequence[Row]:
    """Judged without an archive, which docker-library's image does not have either."""
    sides = {
        _WITHOUT: functools.partial(_round, ground, side="walsup"),
        _PEER: functools.partial(_round, ground, side="docker"),
        _WITH: functools.partial(_round, ground, side="walsup", archive=True),
    }
    runs = ground.in_turn("first boot", sides, unit="s")
    return [
        Row(
            name="first boot",
            engine=ground.engine,
            unit="s",
            walsup=runs.series(_WITHOUT),
            peer=runs.series(_PEER),
            others=(runs.series(_WITH),),
            target=Target(measure=Measure.RATIO_AT_MOST, limit=1.0),
        )
    ]


def _round(ground: Ground, *, side: str, archive: bool = False) -> float:
    with Boot(ground, side=side, archive=archive) as boot, boot.start() as container:
        probe.wait_for_reply(boot.port)
        return time.monotonic() - container.began_s
