"""Everything is killed in mid-write, the volume is lost, the restore is killed: nobody helps."""

import random
import shutil
import time
from collections.abc import Callable

import pytest

from dev.harness import S3Server, Walsup
from dev.harness.checks.positions import PlacedLedger, archived_until
from dev.harness.checks.witness import owner, wait_protected

Make = Callable[..., Walsup]


@pytest.mark.parametrize(
    "rounds", [2, pytest.param(30, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])]
)
@pytest.mark.rule("stage", "gap-is-not-the-end")
def test_random_kills_lose_nothing_that_was_archived(
    walsup: Make, s3: S3Server, rounds: int
) -> None:
    """A gapless prefix of what was acknowledged, at least up to the last archived segment."""
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")  # noqa: T201 (kept for a failure's report)
    chance = random.Random(seed)
    one = walsup(
        env={
            "WALSUP_ON_EMPTY_PGDATA": "restore",
            "WALSUP_ARCHIVE_TIMEOUT": "1s",
            "WALSUP_LEASE": "1s",
        }
    ).start()
    wait_protected(one)
    rows = 0
    for turn in range(rounds):
        ledger = PlacedLedger(one, after=rows)
        with ledger:
            one.wait_for(lambda: ledger.acknowledged > rows + 20, "rows", timeout_s=60)  # noqa: B023
            time.sleep(chance.uniform(0, 4))
            if chance.random() < 0.5:
                one.psql("select pg_switch_wal()")
                time.sleep(chance.uniform(0, 0.5))
            one.kill_tree()
        until = archived_until(s3, one.prefix)
        needed = max((n for n, lsn in ledger.lsn.items() if lsn <= until), default=rows)
        shutil.rmtree(one.pgdata)
        one.start()
        for _ in range(chance.randrange(1, 3)):
            time.sleep(chance.uniform(0, 5))
            one.kill_tree()
            one.start()
        one.wait_accepts(timeout_s=120)
        count, highest = one.psql("select count(*), coalesce(max(n), 0) from ledger").split("|")
        assert count == highest, f"turn {turn}"
        assert needed <= int(count) <= ledger.acknowledged + 1, f"turn {turn}"
        rows = int(count)
        print(f"turn {turn}: {needed} <= {rows} <= {ledger.acknowledged + 1}")  # noqa: T201
        wait_protected(one, timeout_s=120)
    assert owner(s3, one.prefix)["timeline"] >= rounds + 1
