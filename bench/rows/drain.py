"""Drain rate: full segments that waited for the engine, from the first in the bucket to the last.

The daemon is frozen while the segments are written, on both sides alike; so neither the start of
a gate nor a retry of the archiver is part of the clock.
"""

import functools
import os
import signal
import time
from collections.abc import Sequence

from bench.figures import Measure, Row, Target
from bench.ground import Ground
from bench.side import Bare, Side, ThroughWalsup
from dev.harness import NotSeenError, wait_until

_WALSUP, _PEER = "walsup", "bare daemon"
_POLL_S = 0.05
_TIMEOUT_S = 180.0
_NAME_LENGTH = 24
# A mebibyte of random hex a row, sixteen rows a segment: no compressor sees a repetition.
_NOISE = """
create table noise as
  select i, string_agg(md5(random()::text || i || j), '') as hex
  from generate_series(1, 16) i, generate_series(1, 32768) j group by i;
"""
_WRITE = """
select count(pg_logical_emit_message(false, 'bench', hex))
  from generate_series(1, {segments}) s, noise;
"""


def measure(ground: Ground) -> Sequence[Row]:
    """Both sides run all the time; one is measured, the other rests."""
    with ThroughWalsup(ground) as walsup, Bare(ground) as bare:
        for side in (walsup, bare):
            side.tools.psql(side.address, _NOISE)
        rounds = {
            _WALSUP: functools.partial(_round, ground, walsup),
            _PEER: functools.partial(_round, ground, bare),
        }
        runs = ground.in_turn("drain", rounds, unit="segments/s")
    return [
        Row(
            name="drain",
            engine=ground.engine,
            unit="segments/s",
            walsup=runs.series(_WALSUP),
            peer=runs.series(_PEER),
            target=Target(measure=Measure.RATIO_AT_LEAST, limit=0.97),
        )
    ]


def _round(ground: Ground, side: Side) -> float:
    side.tools.psql(side.address, "select pg_switch_wal()")
    wait_until(lambda: not _ready(side), "nothing waits", timeout_s=_TIMEOUT_S)
    daemon_pid = side.engine_pid
    os.kill(daemon_pid, signal.SIGSTOP)
    try:
        side.tools.psql(side.address, _WRITE.format(segments=ground.segments), timeout_s=_TIMEOUT_S)
        side.tools.psql(side.address, "select pg_switch_wal()")
        wait_until(lambda: len(_ready(side)) >= ground.segments, "the segments wait")
        waiting = _ready(side)
    finally:
        os.kill(daemon_pid, signal.SIGCONT)
    rate = _watch(ground, side, waiting)
    side.tools.psql(side.address, "checkpoint", timeout_s=_TIMEOUT_S)
    return rate


def _watch(ground: Ground, side: Side, waiting: set[str]) -> float:
    """Segments a second, between the first look that sees some and the look that sees all."""
    deadline_s = time.monotonic() + _TIMEOUT_S
    first: tuple[float, int] | None = None
    while time.monotonic() < deadline_s:
        seen = len(waiting & _in_bucket(ground, side))
        now_s = time.monotonic()
        if first is None and seen:
            first = now_s, seen
        if first and seen == len(waiting):
            return (seen - first[1]) / (now_s - first[0])
        time.sleep(_POLL_S)
    raise NotSeenError(f"not all of {len(waiting)} segments came within {_TIMEOUT_S:g} s")


def _in_bucket(ground: Ground, side: Side) -> set[str]:
    keys = ground.s3.keys(f"{side.prefix}/wal_005/")
    return {key.rpartition("/")[2].partition(".")[0] for key in keys}


def _ready(side: Side) -> set[str]:
    folder = side.pgdata / "pg_wal" / "archive_status"
    return {file.stem for file in folder.glob("*.ready") if len(file.stem) == _NAME_LENGTH}
