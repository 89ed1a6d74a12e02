"""S3 away, daemons killed: postgres never stops, nothing acknowledged is lost, all turns green."""

import random
import time
from collections.abc import Callable

import pytest

from dev.harness import FaultProxy, S3Server, Walsup
from dev.harness.checks.witness import (
    Ledger,
    segments,
    sentinels,
    status,
    verdict,
    wait_fault,
    wait_no_lag,
    wait_protected,
)

Make = Callable[..., Walsup]

SOON = {"WALSUP_ARCHIVE_TIMEOUT": "3s"}  # what is written last is archived without a long wait


def _gapless(names: list[str]) -> bool:
    numbers = [int(name[8:16], 16) * 256 + int(name[16:], 16) for name in names]
    return numbers == list(range(numbers[0], numbers[-1] + 1))


def test_an_existing_database_starts_while_s3_is_down(walsup: Make, s3: S3Server) -> None:
    """The database runs, the fault has its class, and all is green by itself afterwards."""
    with FaultProxy(s3.port) as proxy:
        one = walsup(endpoint=proxy.endpoint, env=SOON).start()
        wait_protected(one)
        assert one.stop() == 0
        proxy.refuse()
        one.start()
        one.wait_accepts()
        fault = wait_fault(one, "gate")
        assert fault["kind"] == "refused"
        assert "AWS_ENDPOINT" in fault["remedy"]
        one.psql("create table t (n int)")
        assert not status(one)["protected"]
        one.wait_for(lambda: one.http("/readyz")[0] == 200, "it is ready")
        proxy.pass_through()
        wait_protected(one)
        wait_no_lag(one, timeout_s=90)
        assert not status(one)["faults"]
        assert len(sentinels(s3, one.prefix)) == 1


def _kill_at_random(one: Walsup, seconds: float) -> int:
    chance, kills, until = random.Random(7), 0, time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(chance.uniform(0.3, 2.5))
        try:
            one.kill(chance.choice(("agent", "engine")))
            kills += 1
        except ProcessLookupError:
            continue  # it is between two lives
    return kills


def _survives_kills(one: Walsup, s3: S3Server, seconds: float) -> None:
    wait_protected(one)
    one.tools.pgbench_init(one.address, scale=2)
    bench = one.tools.pgbench(one.address, duration_s=int(seconds) + 1, clients=2)
    with Ledger(one) as ledger:
        kills = _kill_at_random(one, seconds)
        result = bench.result()
    assert kills >= seconds / 5
    assert result.is_clean, result
    assert ledger.failures == 0
    assert ledger.rows() >= ledger.acknowledged > 0
    wait_protected(one, timeout_s=60)
    wait_no_lag(one, timeout_s=120)
    assert len(one.events("postgres.started")) == 1
    assert one.stop() == 0
    assert "is in the bucket: yes" in verdict(one)
    assert _gapless(segments(s3, one.prefix))


def test_agent_and_engine_killed_at_random_under_load(walsup: Make, s3: S3Server) -> None:
    """No transaction fails, no acknowledged row and no segment is lost, all turns green."""
    _survives_kills(walsup(env=SOON).start(), s3, 12)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_agent_and_engine_killed_at_random_for_a_minute(walsup: Make, s3: S3Server) -> None:
    """The whole of it."""
    _survives_kills(walsup(env=SOON).start(), s3, 60)
