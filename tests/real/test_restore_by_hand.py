"""The archive restores: with either engine, from the bucket alone, to the last acknowledged row."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from dev.harness import S3Server, Walsup
from dev.harness.ports import free_ports
from dev.harness.waiting import wait_until
from dev.harness.witness import Ledger, verdict, wait_protected

Make = Callable[..., Walsup]


def _restore(one: Walsup, reader: str, target: Path) -> int:
    """Fetch with the engine `reader` as README says; gives the number of rows of the ledger."""
    machine = one.machine
    config = target.parent / f"{reader}.json"
    shutil.copy(one.run_dir / "engine.json", config)
    machine.give_to_database(config)
    program = shutil.which(reader, path=machine.search_path(reader))
    assert program
    fetch = [program, "--config", str(config), "backup-fetch", str(target), "LATEST"]
    as_owner = ["runuser", "-u", machine.db_user, "--"] if os.geteuid() == 0 else []
    target.mkdir(mode=0o700)
    machine.give_to_database(target)
    subprocess.run([*as_owner, *fetch], check=True, capture_output=True, timeout=120)
    (target / "recovery.signal").touch()
    machine.give_to_database(target / "recovery.signal")
    address = one.tools.start(
        target,
        port=free_ports(1)[0],
        settings={
            "restore_command": f"{program} --config {config} wal-fetch %f %p",
            "archive_mode": "off",
        },
    )
    try:
        wait_until(
            lambda: one.tools.psql(address, "select pg_is_in_recovery()") == "f",
            "recovery has ended",
            timeout_s=120,
        )
        one.tools.psql(address, "select pg_switch_wal()")
        count, highest = one.tools.psql(address, "select count(*), max(n) from ledger").split("|")
        assert count == highest
        return int(count)
    finally:
        one.tools.stop(target)


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
        assert _restore(one, reader, one.pgdata.parent / f"by-{reader}") == ledger.acknowledged


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
    restored = _restore(one, one.engine, one.pgdata.parent / "restored")
    assert proven <= restored <= ledger.acknowledged + 1
