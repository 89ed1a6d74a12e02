"""Steps: everything is killed in mid-write, the disk is lost, and the bucket gives it back."""

import shutil
import time

from dev.demo.stage import Stage
from dev.harness import NotSeenError, Walsup
from dev.harness.checks.positions import PlacedLedger, archived_until
from dev.harness.scenarios.clones import source_of

_LEASE_S = 2
_ROWS = 150


def lose(stage: Stage) -> None:
    """Everything is killed -9 in mid-write, and the data directory is deleted."""
    say, walsup = stage.narrator, stage.walsup
    walsup.environment |= {
        "WALSUP_ON_EMPTY_PGDATA": "restore",
        "WALSUP_LEASE": f"{_LEASE_S}s",
        "WALSUP_ARCHIVE_TIMEOUT": "1s",
    }
    say.does("started again; a client writes rows and notes each one after its COMMIT")
    walsup.start()
    walsup.wait_accepts(timeout_s=40)
    walsup.wait_for(lambda: stage.status().get("protected"), "it is protected", timeout_s=60)
    stage.ledger = ledger = PlacedLedger(walsup)
    with ledger:
        walsup.wait_for(lambda: ledger.acknowledged > _ROWS, f"{_ROWS} rows", timeout_s=60)
        walsup.kill_tree()
    shutil.rmtree(walsup.pgdata)
    say.saw(
        f"kill -9 to every process after {ledger.acknowledged} acknowledged rows;"
        f" {walsup.pgdata} is deleted"
    )


def come_back(stage: Stage) -> None:
    """The same container on an empty directory brings the database back from the bucket."""
    say, walsup = stage.narrator, stage.walsup
    if stage.ledger is None:
        raise RuntimeError("nothing was lost yet")
    until = archived_until(stage.s3, stage.prefix)
    needed = max((n for n, lsn in stage.ledger.lsn.items() if lsn <= until), default=0)
    say.does(
        "the same start on the empty directory, with WALSUP_ON_EMPTY_PGDATA=restore; the dead one's"
        f" lease is waited for ({4 * _LEASE_S} s)"
    )
    began_s = time.monotonic()
    walsup.start()
    walsup.wait_accepts(timeout_s=90)
    took_s = time.monotonic() - began_s
    count, highest = walsup.psql("select count(*), coalesce(max(n), 0) from ledger").split("|")
    if count != highest or int(count) < needed:
        raise NotSeenError(f"a gapless ledger of {needed} rows or more: {count}, up to {highest}")
    lost = max(0, stage.ledger.acknowledged - int(count))
    say.saw(f"the database answers {took_s:.1f} s after the start, on a new timeline")
    say.saw(
        f"{count} rows are back, without a gap; lost: {lost}, which were in the last second's"
        " segment and not yet in the bucket"
    )
    walsup.wait_for(lambda: stage.status().get("protected"), "a new base backup", timeout_s=60)
    say.saw("/status says protected: true; there is a base backup of the new timeline")


def before_the_drop(stage: Stage) -> None:
    """A clone at the moment before a DROP TABLE has the table."""
    say, walsup = stage.narrator, stage.walsup
    rows = walsup.psql("select count(*) from ledger")
    moment = walsup.psql("select clock_timestamp()")
    time.sleep(0.5)
    walsup.psql("drop table ledger")
    dropped = int(walsup.psql("select pg_current_wal_lsn() - '0/0'::pg_lsn"))
    say.does(f"somebody drops the table; a clone is restored to {moment}, a moment before")
    walsup.wait_for(
        lambda: archived_until(stage.s3, stage.prefix) > dropped, "the drop is archived"
    )
    clone = stage.clone = Walsup(
        stage.machine,
        env={
            **source_of(stage.s3, stage.prefix),
            "WALSUP_RESTORE_TARGET_TIME": moment,
        },
        args=["-c", "listen_addresses=127.0.0.1"],
    )
    began_s = time.monotonic()
    clone.start()
    clone.wait_accepts(timeout_s=90)
    took_s = time.monotonic() - began_s
    found = clone.psql("select count(*) from ledger")
    if found != rows:
        raise NotSeenError(f"{rows} rows in the clone: {found}\n{clone.tail()}")
    say.saw(f"the clone has the table with all its {found} rows, {took_s:.1f} s after its start")
    if clone.stop() != 0 or walsup.stop() != 0:
        raise NotSeenError("both end with exit code 0")
    say.saw("both stopped with exit code 0")
