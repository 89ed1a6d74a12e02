"""Back from the bucket: an empty data directory becomes the database again, by itself."""

import shutil
from collections.abc import Callable

import pytest

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import (
    Ledger,
    owner,
    segments,
    sentinels,
    status,
    verdict,
    wait_no_lag,
    wait_protected,
)

Make = Callable[..., Walsup]


@pytest.mark.rule("new-timeline")
def test_a_lost_volume_is_restored_from_its_own_archive(walsup: Make, s3: S3Server) -> None:
    """After a clean stop every row; on a new timeline; with exactly one new base backup."""
    one = walsup(env={"WALSUP_ON_EMPTY_PGDATA": "restore", "WALSUP_ARCHIVE_TIMEOUT": "2s"}).start()
    wait_protected(one)
    with Ledger(one) as ledger:
        one.wait_for(lambda: ledger.acknowledged > 50, "rows")
    assert one.stop() == 0
    assert "is in the bucket: yes" in verdict(one)
    before = sentinels(s3, one.prefix)
    shutil.rmtree(one.pgdata)
    one.start()
    one.wait_accepts(timeout_s=90)
    assert ledger.rows() == ledger.acknowledged
    wait_protected(one)
    assert status(one)["restore"]["phase"] == "done"
    assert owner(s3, one.prefix)["next_timeline"] == 2
    assert len(sentinels(s3, one.prefix)) == len(before) + 1
    written = ledger.acknowledged + 1
    one.psql(f"insert into ledger values ({written})")
    wait_no_lag(one)
    assert any(name.startswith("00000002") for name in segments(s3, one.prefix))
    assert one.stop() == 0
    one.start()
    one.wait_accepts()
    assert ledger.rows() == written
    wait_protected(one)
    assert len(sentinels(s3, one.prefix)) == len(before) + 1


@pytest.mark.rule("restore-source-once")
def test_a_clone_of_another_archive_writes_into_its_own(walsup: Make, s3: S3Server) -> None:
    """From a source that goes on archiving; not a byte of it changes through the clone."""
    source = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "2s"}).start()
    wait_protected(source)
    with Ledger(source) as ledger:
        source.wait_for(lambda: ledger.acknowledged > 50, "rows")
    wait_no_lag(source)
    assert source.stop() == 0
    before = {key: s3.get(key) for key in s3.keys(f"{source.prefix}/")}
    clone = walsup(env={"WALSUP_RESTORE_FROM": f"s3://{s3.bucket}/{source.prefix}"}).start()
    wait_protected(clone, timeout_s=90)
    assert clone.psql("select count(*), max(n) from ledger") == "|".join(
        [str(ledger.acknowledged)] * 2
    )
    assert clone.psql("select pg_walfile_name(pg_current_wal_lsn())").startswith("00000002")
    assert len(sentinels(s3, clone.prefix)) == 1
    assert {key: s3.get(key) for key in s3.keys(f"{source.prefix}/")} == before
    assert clone.stop() == 0
    shutil.rmtree(clone.pgdata)
    clone.start()
    assert clone.wait() == 71  # its own archive is not empty any more: the source is the past
    assert "WALSUP_RESTORE_FROM is used only while" in verdict(clone)
