"""The archive restores: with either engine, from the bucket alone, to the last acknowledged row."""

from collections.abc import Callable

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import Ledger, verdict, wait_protected
from dev.harness.scenarios.restore_by_hand import restore

Make = Callable[..., Walsup]


def test_after_a_clean_stop_every_row_is_restored_by_each_engine(
    walsup: Make, s3: S3Server
) -> None:
    """Written by one engine, restored by every engine of this machine."""
    one = walsup().start()
    wait_protected(one)
    with Ledger(one) as ledger:
        one.wait_for(lambda: ledger.acknowledged > 50, "rows")
        one.psql("select pg_switch_wal()")
        one.wait_for(lambda: ledger.acknowledged > 100, "more rows")
    assert one.stop() == 0
    assert "is in the bucket: yes" in verdict(one)
    assert s3.keys(one.prefix)
    for reader in one.machine.engines:
        assert restore(one, reader, one.pgdata.parent / f"by-{reader}") == ledger.acknowledged


def test_after_a_kill_of_everything_what_was_proven_is_restored(walsup: Make) -> None:
    """A gapless prefix of the ledger, at least up to what the lag said was in the bucket."""
    one = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "1s"}).start()
    wait_protected(one)
    with Ledger(one) as ledger:
        one.wait_for(lambda: ledger.acknowledged > 50, "rows")
        one.psql("select pg_switch_wal()")
        proven = ledger.acknowledged
        lsn = one.psql("select pg_current_wal_lsn()")
        one.wait_for(
            lambda: (
                one.psql(
                    f"select '{one.http('/status')[1]['lag']['proven_lsn']}' >= '{lsn}'::pg_lsn"
                )
                == "t"
            ),
            "what was written before is proven",
        )
        one.kill_tree()
    restored = restore(one, one.engine, one.pgdata.parent / "restored")
    assert proven <= restored <= ledger.acknowledged + 1
