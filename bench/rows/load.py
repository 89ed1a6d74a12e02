"""pgbench while WAL is archived: through walsup, through the bare daemon, and to nowhere."""

import functools
from collections.abc import Sequence

from bench.figures import Measure, Row, Target
from bench.ground import Ground
from bench.side import Bare, Side, ThroughWalsup

_WALSUP, _PEER, _NOTHING = "walsup", "bare daemon", "archive_command=true"
_SCALE = 10
_CLIENTS = 2


def measure(ground: Ground) -> Sequence[Row]:
    """Three clusters stay up, one is under load at a time."""
    with (
        ThroughWalsup(ground) as walsup,
        Bare(ground) as bare,
        Bare(ground, archive=False) as nothing,
    ):
        sides: dict[str, Side] = {_WALSUP: walsup, _PEER: bare, _NOTHING: nothing}
        for side in sides.values():
            side.tools.pgbench_init(side.address, scale=_SCALE)
        rounds = {name: functools.partial(_round, ground, side) for name, side in sides.items()}
        runs = ground.in_turn("load", rounds, unit="TPS")
    return [
        Row(
            name="pgbench",
            engine=ground.engine,
            unit="TPS",
            walsup=runs.series(_WALSUP),
            peer=runs.series(_PEER),
            others=(runs.series(_NOTHING),),
            target=Target(measure=Measure.RATIO_AT_LEAST, limit=0.97),
        )
    ]


def _round(ground: Ground, side: Side) -> float:
    # Full-page images after a checkpoint of one side only would be its whole handicap.
    side.tools.psql(side.address, "checkpoint", timeout_s=60)
    load = side.tools.pgbench(side.address, duration_s=ground.load_s, clients=_CLIENTS)
    result = load.result()
    if not result.is_clean:
        raise AssertionError(f"pgbench failed\n{result.output}")
    return result.tps
