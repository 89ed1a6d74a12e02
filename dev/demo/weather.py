"""Steps: load, lag, and two kills that the database must not notice."""

import time

from dev.demo.bucket import Run, segments, unbroken
from dev.demo.lagwatch import LagWatch
from dev.demo.stage import Stage
from dev.harness import NotSeenError

_SCALE = 4  # 60 MB of tables
_LOAD_S = 30
_CLIENTS = 2
_ENOUGH_WAITING = 2
_LAG_TIMEOUT_S = 40.0


def fill(stage: Stage) -> None:
    """Lag rises while S3 does not answer, and falls to 0 when it does."""
    say, walsup = stage.narrator, stage.walsup
    say.does("SeaweedFS is frozen (SIGSTOP): nothing can be shipped for a moment")
    stage.s3.pause()
    with LagWatch(walsup) as watch:
        began_s = time.monotonic()
        walsup.tools.pgbench_init(walsup.address, scale=_SCALE)
        walsup.psql("create table demo_mark (at timestamptz default now())")
        took_s = time.monotonic() - began_s
        say.saw(f"postgres takes {_SCALE * 100_000} rows meanwhile, in {took_s:.1f} s")
        waiting = walsup.wait_for(lambda: _waiting(stage), "segments that wait in pg_wal")
        say.saw(f"{waiting} finished segments wait in pg_wal; SeaweedFS goes on (SIGCONT)")
        stage.s3.resume()
        _see_lag_fall(stage, watch)
        if not watch.peak.segments:
            raise NotSeenError(f"a lag of whole segments: {watch.peak}\n{walsup.tail()}")


def write(stage: Stage) -> None:
    """pgbench writes."""
    say, walsup = stage.narrator, stage.walsup
    before = len(segments(stage.s3, stage.prefix))
    stage.lag_under_load = stage.under_load.enter_context(LagWatch(walsup))
    say.does(f"pgbench now writes for {_LOAD_S} s with {_CLIENTS} clients, in the background")
    stage.load = walsup.tools.pgbench(walsup.address, duration_s=_LOAD_S, clients=_CLIENTS)
    walsup.wait_for(lambda: _rows(stage) > 0, "rows written by pgbench")
    _wait_segments(stage, before)
    say.saw(f"{_rows(stage)} transactions so far, and their WAL arrives in the bucket")


def kill_engine(stage: Stage) -> None:
    """The engine daemon comes back from kill -9 under load."""
    stage.narrator.does("kill -9 to the engine daemon, which carries every segment")
    _kill(stage, "engine")


def kill_agent(stage: Stage) -> None:
    """The agent comes back from kill -9 under load."""
    stage.narrator.does("kill -9 to the agent, which serves HTTP and measures the lag")
    _kill(stage, "agent")


def finish_load(stage: Stage) -> None:
    """pgbench ends without an error and the lag falls to 0."""
    say, walsup = stage.narrator, stage.walsup
    say.does("waiting for pgbench's end")
    result = stage.bench.result()
    if not result.is_clean or "failed transactions: 0 " not in f"{result.output} ":
        raise NotSeenError(f"pgbench without an error:\n{result.output}\n{walsup.tail()}")
    say.saw(
        f"pgbench: exit code 0, {result.transactions} transactions ({result.tps:.0f}/s),"
        " failed transactions: 0"
    )
    if _rows(stage) != result.transactions:
        raise NotSeenError(f"{_rows(stage)} rows of {result.transactions} transactions")
    say.saw(f"pgbench_history has all {result.transactions} rows")
    if stage.lag_under_load is not None:
        _see_lag_fall(stage, stage.lag_under_load)
    stage.under_load.close()


def _kill(stage: Stage, child: str) -> None:
    """Kill `child`; see another pid, HTTP, an open gate and a further segment in the bucket."""
    say, walsup = stage.narrator, stage.walsup
    key = f"{child}_pid"
    killed_s, old = time.monotonic(), str(walsup.kill(child))
    walsup.wait_for(lambda: walsup.state().get(key) not in {None, "", old}, f"a new {child}")
    before = len(segments(stage.s3, stage.prefix))
    walsup.wait_for(lambda: _is_open(stage), f"an open gate after the {child}'s death")
    say.saw(
        f"it is back: pid {old}, now {walsup.state()[key]};"
        f" works again after {time.monotonic() - killed_s:.2f} s"
    )
    _wait_segments(stage, before)
    if not stage.bench.is_running:
        raise NotSeenError(f"pgbench still running\n{stage.bench.result().output}")
    say.saw(f"segments go on arriving; pgbench goes on: {_rows(stage)} transactions")


def _is_open(stage: Stage) -> bool:
    status = stage.status()
    return bool(status) and status["gate"]["state"] == "open" and bool(status["ready"])


def _waiting(stage: Stage) -> int:
    """How many segments wait in pg_wal, when they are enough to be seen."""
    status = stage.status()
    ready = int(status["waiting"]["ready"]) if status else 0
    return ready if ready >= _ENOUGH_WAITING else 0


def _rows(stage: Stage) -> int:
    return int(stage.walsup.psql("select count(*) from pgbench_history"))


def _wait_segments(stage: Stage, more_than: int) -> None:
    stage.walsup.wait_for(
        lambda: len(segments(stage.s3, stage.prefix)) > more_than,
        f"more than {more_than} segments in the bucket",
        timeout_s=20,
    )


def _see_lag_fall(stage: Stage, watch: LagWatch) -> None:
    """Wait for a lag of 0 behind all that is written; compare with boto3's listing."""
    say, walsup = stage.narrator, stage.walsup
    # Its commit is WAL that counts: the segment which holds it is finished and archived.
    lsn = walsup.psql("insert into demo_mark default values returning pg_current_wal_insert_lsn()")
    last = walsup.psql(f"select pg_walfile_name('{lsn}')")
    ended_s = time.monotonic()

    def is_zero() -> bool:
        status = stage.status()
        lag = status.get("lag", {})
        is_behind = not lag.get("known") or lag["segments"] or lag["bytes"] or not lag["idle"]
        return not is_behind and _position(lag["proven_lsn"]) >= _position(lsn)

    walsup.wait_for(is_zero, "a lag of 0 in /status", timeout_s=_LAG_TIMEOUT_S)
    took_s = time.monotonic() - ended_s
    if not watch.peak.bytes:
        raise NotSeenError(f"a lag above 0 in /status\n{walsup.tail()}")
    say.saw(f"lag rose to {watch.peak}; it was 0 again {took_s:.1f} s after the last write")
    run = gapless(stage, last)
    say.saw(f"boto3 agrees: {run.length} segments without a gap, up to {run.last}")


def gapless(stage: Stage, last: str) -> Run:
    """The run of segments in the bucket.

    Raises:
        NotSeenError: it has a gap, or ends before `last`.
    """
    run = unbroken(segments(stage.s3, stage.prefix))
    if run.behind or run.last[8:] < last[8:]:
        raise NotSeenError(f"all segments up to {last} in the bucket; it has {run}")
    return run


def _position(lsn: str) -> int:
    high, low = lsn.split("/")
    return (int(high, 16) << 32) + int(low, 16)
