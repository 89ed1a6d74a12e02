"""A segment that is nowhere any more: named, and covered by a new base backup behind it."""

import os
from collections.abc import Callable
from signal import SIGCONT, SIGSTOP

import pytest

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import (
    owner,
    segments,
    sentinels,
    status,
    verdict,
    wait_no_lag,
    wait_protected,
)

Make = Callable[..., Walsup]


def _make_hole(one: Walsup, s3: S3Server) -> str:
    """Take an archived segment away from both sides, unseen; gives its name."""
    before = segments(s3, one.prefix)
    agent = one.outer_pid(int(one.state()["agent_pid"]))
    os.kill(agent, SIGSTOP)
    one.psql("create table t (n int)")
    one.psql("select pg_switch_wal()")
    one.wait_for(lambda: len(segments(s3, one.prefix)) > len(before), "a new segment")
    lost = segments(s3, one.prefix)[-1]
    for key in s3.keys(f"{one.prefix}/wal_005/{lost}"):
        s3.delete(key)
    one.psql("insert into t values (1)")
    one.psql("select pg_switch_wal()")
    one.psql("checkpoint")
    (one.pgdata / "pg_wal" / lost).unlink(missing_ok=True)
    os.kill(agent, SIGCONT)
    one.wait_for(lambda: status(one).get("holes"), "the hole is found", timeout_s=60)
    assert status(one)["holes"][0]["first"] == lost
    return lost


@pytest.mark.rule("listing-is-proof")
def test_a_hole_is_covered_by_a_new_base_backup(walsup: Make, s3: S3Server) -> None:
    """The measuring goes on behind it; what cannot be restored is told from then on."""
    one = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "2s"}, args=["-c", "min_wal_size=32MB"]).start()
    wait_protected(one)
    _make_hole(one, s3)
    one.wait_for(lambda: len(sentinels(s3, one.prefix)) == 2, "a second base backup", timeout_s=60)
    wait_protected(one)
    wait_no_lag(one)
    hole = status(one)["holes"][0]
    assert hole["covered_by"] in sentinels(s3, one.prefix)[1]
    assert any(e["kind"] == "hole" for e in one.events("fault.appeared"))
    assert one.events("hole.covered")
    assert one.stop() == 0


@pytest.mark.rule("listing-is-proof")
def test_a_hole_is_remembered_by_the_next_start(walsup: Make, s3: S3Server) -> None:
    """The verdict names it, and the owner object demands a base backup behind it."""
    one = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "2s"}).start()
    wait_protected(one)
    assert one.stop() == 0
    one.environment["WALSUP_INITIAL_BACKUP"] = "off"
    one.start()
    wait_protected(one)
    lost = _make_hole(one, s3)
    assert one.stop() == 0
    assert f"is in the bucket: no: {lost} is lost" in verdict(one)
    assert owner(s3, one.prefix)["backups_from"] > 0
    one.environment["WALSUP_INITIAL_BACKUP"] = "on"
    one.start()
    wait_protected(one)
    assert len(sentinels(s3, one.prefix)) == 2
