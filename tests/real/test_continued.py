"""An archive of a plain engine that is continued: what it claims to have is looked at first."""

from collections.abc import Callable

import pytest

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import owner, sentinels, status, wait_protected

Make = Callable[..., Walsup]


@pytest.mark.rule("lag")
def test_a_gap_behind_an_old_backup_is_found_and_covered(walsup: Make, s3: S3Server) -> None:
    """A week of `archive_command = /bin/true`: the old backup is there, its WAL is not."""
    one = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "2s"}, args=["-c", "min_wal_size=32MB"]).start()
    wait_protected(one)
    assert one.stop() == 0
    for key in s3.keys(f"{one.prefix}/walsup/"):
        s3.delete(key)
    (one.pgdata / ".walsup-owned").unlink()
    archive = one.environment.pop("WALSUP_ARCHIVE")
    one.start()
    one.wait_accepts()
    for _ in range(8):
        one.psql("create table if not exists t (n int); insert into t values (1)")
        one.psql("select pg_switch_wal()")
    one.psql("checkpoint")
    assert one.stop() == 0
    one.environment["WALSUP_ARCHIVE"] = archive
    one.start()
    one.wait_for(lambda: status(one).get("holes"), "the gap is found", timeout_s=90)
    one.wait_for(lambda: len(sentinels(s3, one.prefix)) == 2, "a second base backup", timeout_s=60)
    wait_protected(one)
    # The data directory knows of epoch 1: an owner object is never written with that again.
    assert owner(s3, one.prefix)["epoch"] == 2
