"""A standby's branch: what belongs to the timeline that it has left, and what is its own."""

from collections.abc import Callable

import pytest

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import (
    cli,
    segments,
    sentinels,
    status,
    wait_fault,
    wait_no_lag,
    wait_protected,
)
from dev.harness.scenarios.fleet import Node

Make = Callable[..., Walsup]

_SHORT = {"WALSUP_LEASE": "1s", "WALSUP_ARCHIVE_TIMEOUT": "2s"}


@pytest.mark.rule("archive-settings")
def test_an_adopted_branch_takes_a_base_backup_of_its_own(walsup: Make, s3: S3Server) -> None:
    """The other's newest backup begins at a later LSN, on WAL that this database never had."""
    one = walsup(env=_SHORT | {"WALSUP_INITIAL_BACKUP": "off"}).start()
    one.wait_for(lambda: status(one).get("gate", {}).get("state") == "open", "it owns the archive")
    assert one.stop() == 0
    branch = Node(walsup(env=_SHORT, prefix=one.prefix), "branch")
    branch.replace(one.pgdata)
    branch.forget()
    assert branch.branch()
    one.environment["WALSUP_INITIAL_BACKUP"] = "on"
    one.start()
    wait_protected(one)
    for number in range(4):
        one.psql(f"create table t{number} (n int)")
        one.psql("select pg_switch_wal()")
    wait_no_lag(one)
    assert one.stop() == 0
    other = branch.walsup
    other.start()
    assert "walsup adopt" in wait_fault(other, "gate")["remedy"]
    assert cli(other, "adopt", "--yes").returncode == 0
    wait_protected(other)
    assert status(other)["backup"]["name"].startswith("base_00000002")
    assert len(sentinels(s3, one.prefix)) == 2


@pytest.mark.rule("divergence")
def test_the_first_segment_of_a_timeline_begins_with_pages_of_the_old_one(
    walsup: Make, s3: S3Server
) -> None:
    """Archived, and on the disk as well: no bucket is ahead of that after a kill."""
    one = walsup(s3=None).start()
    one.wait_accepts()
    assert one.stop() == 0
    alone = {"WALSUP_ARCHIVE_TIMEOUT": "1h", "WALSUP_INITIAL_BACKUP": "off"}
    keeps = ["-c", "wal_keep_size=256MB"]
    branch = Node(walsup(env=_SHORT | alone, args=keeps), "branch")
    branch.replace(one.pgdata)
    branch.forget()
    assert branch.branch()
    other = branch.walsup
    other.start()
    first = other.wait_for(
        lambda: [n for n in segments(s3, other.prefix) if n.startswith("00000002")],
        "its first segment is archived",
    )
    assert (other.pgdata / "pg_wal" / first[-1]).exists()
    other.kill_tree()
    other.start()
    other.wait_for(lambda: status(other).get("gate", {}).get("state") == "open", "it goes on")
