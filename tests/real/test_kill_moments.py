"""Everything killed at random moments of the first minutes: each next start finds a way on."""

import contextlib
import os
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from dev.harness import PgToolError, S3Server, Walsup, wait_until
from dev.harness.checks.witness import segments, status

Make = Callable[..., Walsup]

SOON = {"WALSUP_ARCHIVE_TIMEOUT": "3s"}
_PROTECTED_TIMEOUT_S = 90.0
# A person can act on these: another writer, or an archive that must be looked at first.
_ACTIONABLE = {"not the owner", "hole"}


class Client:
    """Writes numbered rows for as long as it is let; knows the highest acknowledged one."""

    def __init__(self, one: Walsup) -> None:
        self._one = one
        self.acknowledged = 0
        self._next = 1

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Write in the background; a database that is not there is tried again."""
        stop = threading.Event()
        thread = threading.Thread(target=self._write, args=(stop,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(20)

    def missing(self) -> list[int]:
        """Acknowledged rows that are not there."""
        if not self.acknowledged:
            return []
        found = self._one.psql(
            f"select n from generate_series(1, {self.acknowledged}) n"
            " where n not in (select n from kills) and n not in (select n from skipped)"
        )
        return [int(line) for line in found.split()]

    def _write(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self._one.psql(
                    "create table if not exists kills (n bigint primary key);"
                    "create table if not exists skipped (n bigint primary key)",
                    timeout_s=5,
                )
                while not stop.is_set():
                    self._one.psql(f"insert into kills values ({self._next})", timeout_s=5)
                    self.acknowledged = self._next
                    self._next += 1
            except (PgToolError, OSError, subprocess.TimeoutExpired):
                # Whether the last one was committed is not known: it is left out.
                self._skip(stop)

    def _skip(self, stop: threading.Event) -> None:
        unknown = self._next
        while not stop.is_set():
            time.sleep(0.05)
            with contextlib.suppress(PgToolError, OSError, subprocess.TimeoutExpired):
                self._one.psql(
                    f"insert into skipped select {unknown} where not exists"
                    f" (select from kills where n = {unknown}) on conflict do nothing",
                    timeout_s=5,
                )
                self._next = unknown + 1
                return


def _moments(chance: random.Random, count: int, longest_s: float) -> list[float]:
    """Half of them in the first two seconds, where a cluster is made and an archive claimed."""
    early = [chance.uniform(0.0, 2.0) for _ in range(count // 2)]
    late = [chance.uniform(0.0, longest_s) for _ in range(count - count // 2)]
    moments = early + late
    chance.shuffle(moments)
    return moments


def _goes_on(one: Walsup) -> str:
    """Wait for "protected", or the class of a refusal; anything else fails by time."""

    def look() -> str:
        seen = status(one)
        if seen.get("protected"):
            return "protected"
        kinds = {fault["kind"] for fault in seen.get("faults", {}).values()}
        return next(iter(kinds & _ACTIONABLE), "")

    # A claim that met its own leftovers may turn green after the first word: protected wins.
    return wait_until(
        look,
        "protected, or a refusal with a remedy",
        timeout_s=_PROTECTED_TIMEOUT_S,
        evidence=one.tail,
    )


def _killed_at(make: Make, s3: S3Server, seed: int, moments: list[float], lives: int) -> None:
    """Several databases, each killed `lives` times in a row, at the moments given."""
    print(f"seed {seed}: {[round(moment, 2) for moment in moments]}")  # noqa: T201 (to repeat it)
    for start in range(0, len(moments), lives):
        one = make(env=SOON)
        client = Client(one)
        with client.writing():
            for moment in moments[start : start + lives]:
                one.start()
                time.sleep(moment)
                assert one.is_running, one.tail()
                one.kill_tree()
        with client.writing():
            one.start()
            outcome = _goes_on(one)
        assert outcome == "protected", f"seed {seed}: {outcome}: {status(one)['reasons']}"
        assert client.missing() == [], f"seed {seed}"
        assert segments(s3, one.prefix)
        assert one.stop() == 0
        one.close()


def test_killed_at_random_moments(walsup: Make, s3: S3Server) -> None:
    """Running and protected again, every acknowledged row is there."""
    seed = int(os.environ.get("WALSUP_DEV_SEED", "4"))
    _killed_at(walsup, s3, seed, _moments(random.Random(seed), 6, 5.0), 3)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_killed_at_two_hundred_random_moments(walsup: Make, s3: S3Server) -> None:
    """The whole of it, over the first two minutes of life."""
    seed = int(os.environ.get("WALSUP_DEV_SEED", "0")) or random.SystemRandom().randrange(1 << 30)
    chance = random.Random(seed)
    moments = _moments(chance, 180, 10.0) + [chance.uniform(10.0, 120.0) for _ in range(20)]
    chance.shuffle(moments)
    _killed_at(walsup, s3, seed, moments, 4)
