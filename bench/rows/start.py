"""Start on an existing data directory, until the first answer to a query."""

import contextlib
import functools
import signal
import time
from collections.abc import Sequence

from bench import probe
from bench.boot import Boot
from bench.figures import Measure, Row, Target
from bench.ground import Ground
from bench.side import make_cluster
from dev.harness import PgTools

_MS = 1000
_WITH, _WITHOUT, _PEER = "walsup, archive on", "walsup, no archive", "docker's sequence"
_END = {_WITH: signal.SIGTERM, _WITHOUT: signal.SIGTERM, _PEER: signal.SIGINT}  # INT: fast
# What the official image's sample of postgresql.conf says.
_ARGUMENTS = ("-c", "listen_addresses=*")


def measure(ground: Ground) -> Sequence[Row]:
    """Each side has one cluster, stopped cleanly after each round; judged with the archive on."""
    with contextlib.ExitStack() as cleanup:
        boots = {
            _WITH: Boot(ground, side="walsup", archive=True),
            _PEER: Boot(ground, side="docker"),
            _WITHOUT: Boot(ground, side="walsup"),
        }
        for side, boot in boots.items():
            cleanup.enter_context(boot)
            tools = PgTools(ground.machine.bindir, db_user=ground.machine.db_user)
            make_cluster(tools, boot.layout.pgdata)
            _round(boot, side)  # the first start of all reads programs from the disk
        rounds = {side: functools.partial(_round, boot, side) for side, boot in boots.items()}
        runs = ground.in_turn("start", rounds, unit="ms")
    return [
        Row(
            name="start",
            engine=ground.engine,
            unit="ms",
            walsup=runs.series(_WITH),
            peer=runs.series(_PEER),
            others=(runs.series(_WITHOUT),),
            target=Target(measure=Measure.RATIO_AT_MOST, limit=1.5),
        )
    ]


def _round(boot: Boot, side: str) -> float:
    with boot.start(*_ARGUMENTS) as container:
        probe.wait_for_sql(boot.port)
        took_s = time.monotonic() - container.began_s
        time.sleep(1)  # walsup opens its gate meanwhile: the stop is not part of this row
        container.end(_END[side])
    return took_s * _MS
