"""Stop of an idle database with its archive open, the last segment included."""

import os
import signal
import time
from collections.abc import Sequence

from bench.figures import Measure, Row, Runs, Target
from bench.ground import Ground
from bench.side import Bare, Side, ThroughWalsup

_MS = 1000
_SETTLE_S = 1.0
_WALSUP, _PEER, _POSTMASTER = "walsup", "pg_ctl stop -m fast", "its postmaster's end"


def measure(ground: Ground) -> Sequence[Row]:
    """pg_ctl looks every 100 ms; the end of its postmaster is printed beside it."""
    runs = Runs()
    with ThroughWalsup(ground) as walsup, Bare(ground) as bare:
        for number in range(ground.rounds + 1):
            figures = {_WALSUP: _stop_walsup(walsup)} | _stop_bare(bare)
            if number:  # the very first also archives what initdb wrote
                runs.add(figures)
            told = ", ".join(f"{side} {figure:.4g} ms" for side, figure in figures.items())
            ground.say(f"stop {number}/{ground.rounds}: {told}")
            if number < ground.rounds:
                walsup.start()
                bare.start()
    return [
        Row(
            name="stop",
            engine=ground.engine,
            unit="ms",
            walsup=runs.series(_WALSUP),
            peer=runs.series(_PEER),
            others=(runs.series(_POSTMASTER),),
            target=Target(measure=Measure.ADDS_AT_MOST, limit=150),
        )
    ]


def _leave_a_segment(side: Side) -> None:
    """Write a row: else only one of the two might have a last segment to archive."""
    side.tools.psql(side.address, "create table if not exists t(i int); insert into t values (1)")
    time.sleep(_SETTLE_S)


def _stop_walsup(side: ThroughWalsup) -> float:
    _leave_a_segment(side)
    ending = side.ending()
    began_s = time.monotonic()
    os.kill(side.walsup.init_pid, signal.SIGTERM)
    took_s = ending.at_s() - began_s
    side.walsup.wait()
    verdict = side.walsup.events("stop.verdict")[0]["verdict"]
    if ": yes" not in verdict:
        raise AssertionError(f"a stop that loses WAL is no figure: {verdict}")
    return took_s * _MS


def _stop_bare(side: Bare) -> dict[str, float]:
    _leave_a_segment(side)
    ending = side.ending()
    began_s = time.monotonic()
    side.tools.stop(side.pgdata)
    took_s = time.monotonic() - began_s
    return {_PEER: took_s * _MS, _POSTMASTER: (ending.at_s() - began_s) * _MS}
