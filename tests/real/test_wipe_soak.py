"""Wiping much, and wiping with many kills (S32); `make soak`."""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from dev.harness import FaultProxy, S3Server
from dev.harness.scenarios.wiping import OWNER, Laid, kill_and_go_on, owner, start

pytestmark = pytest.mark.soak

OBJECTS = 20_000


@pytest.mark.rule("wipe")
def test_twenty_thousand_objects(s3: S3Server, capsys: pytest.CaptureFixture[str]) -> None:
    """All of them go; how long it takes is told."""
    laid = Laid(s3, "soak/many")
    neighbours = laid.neighbours()
    names = [f"wal_005/{n >> 13:08X}{n:016X}.lz4" for n in range(OBJECTS)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(laid.put, names))
    laid.put(OWNER, owner(state="stopped").to_json())
    began_s = time.monotonic()
    shown = laid.wipe()
    counted_s = time.monotonic() - began_s
    assert str(OBJECTS + 1) in shown.stdout, shown.stderr
    done = laid.wipe_all(WALSUP_LEASE="15s")
    assert done.returncode == 0, done.stderr
    with capsys.disabled():
        wiped_s = time.monotonic() - began_s - counted_s
        print(f"\n{OBJECTS} objects: counted in {counted_s:.1f} s, wiped in {wiped_s:.1f} s")  # noqa: T201
    assert laid.everything() == []
    assert laid.are_there(neighbours)


@pytest.mark.rule("wipe")
def test_many_kills(s3: S3Server) -> None:
    """Ten archives, each wiped with up to three kills at random moments."""
    chance = random.Random(time.time())
    hit = 0
    for number in range(10):
        laid = Laid(s3, f"soak/killed-{number}")
        laid.fill(segments=chance.randrange(1, 200))
        neighbours = laid.neighbours()
        hit += kill_and_go_on(laid, chance, kills=3)
        assert laid.are_there(neighbours)
    assert hit > 10, hit


@pytest.mark.rule("wipe")
def test_a_wipe_in_bad_weather(s3: S3Server) -> None:
    """Faults of every kind, one after another, in the middle of it: whole or not done, no lie."""
    chance = random.Random(time.time())
    for number in range(4):
        laid = Laid(s3, f"soak/weather-{number}")
        laid.fill(segments=400)
        neighbours = laid.neighbours()
        with FaultProxy(s3.port) as proxy:
            one = start(laid, AWS_ENDPOINT=proxy.endpoint)
            while one.poll() is None:
                chance.choice(_faults(proxy))()
                time.sleep(chance.uniform(0.05, 0.4))
                proxy.pass_through()
                time.sleep(chance.uniform(0.05, 0.6))
            told, words = one.communicate()
            left = {key for key, _ in laid.everything()}
            assert (one.returncode == 0) == (not left), (left, told, words)
            assert not left or OWNER in left, words
        done = laid.wipe_all()
        assert done.returncode == 0, done.stderr
        assert laid.everything() == []
        assert laid.are_there(neighbours)


def _faults(proxy: FaultProxy) -> list[Callable[[], None]]:
    passing = [partial(proxy.answer, 503), partial(proxy.answer, 500), partial(proxy.delay, 0.2)]
    return [proxy.cut, proxy.reset, proxy.hang, proxy.refuse, *passing]
