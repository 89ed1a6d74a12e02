"""A restore beside what goes on around it: a living owner, dying helpers, a limited key."""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from signal import SIGKILL, SIGSTOP

import pytest

from dev.harness import S3Server, Volume, Walsup
from dev.harness.checks.witness import (
    Ledger,
    owner,
    segments,
    sentinels,
    status,
    wait_no_lag,
    wait_protected,
)
from dev.harness.faults.http_fault_proxy import PickyProxy
from dev.harness.scenarios.clones import source_of
from dev.harness.storage.rights import LEAST_PREFIX
from walsup.boot.restore import backup_fetch

Make = Callable[..., Walsup]
ROWS = "select count(*) || '|' || max(n) from ledger"


@pytest.mark.rule("new-timeline")
def test_a_restore_does_not_end_while_the_owner_lives(walsup: Make, s3: S3Server) -> None:
    """It replays meanwhile, and has every row that the other archives until it is stopped."""
    one = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "1s", "WALSUP_LEASE": "2s"}).start()
    wait_protected(one)
    with Ledger(one) as ledger:
        one.wait_for(lambda: ledger.acknowledged > 20, "rows")
        other = walsup(
            prefix=one.prefix,
            env={"WALSUP_ON_EMPTY_PGDATA": "restore", "WALSUP_LEASE": "2s"},
        ).start()
        other.wait_for(
            lambda: status(other).get("faults", {}).get("owner"), "it waits", timeout_s=90
        )
        assert "holds the archive" in status(other)["faults"]["owner"]["problem"]
        before = ledger.acknowledged
        one.wait_for(lambda: ledger.acknowledged > before + 50, "more rows")
        time.sleep(10)  # longer than four leases: a holder that renews is never taken for dead
        assert not other.accepts()
    assert one.stop() == 0
    other.wait_accepts(timeout_s=90)
    assert other.psql(ROWS) == f"{ledger.acknowledged}|{ledger.acknowledged}"
    wait_protected(other)
    assert owner(s3, one.prefix)["next_timeline"] == 2
    # The old directory comes back: it is on a timeline that was left.
    one.start()
    one.wait_for(
        lambda: status(one).get("faults", {}).get("gate", {}).get("kind") == "not the owner",
        "it is not let in",
        timeout_s=60,
    )
    assert status(other)["protected"]


@pytest.mark.rule("no-bare-client")
def test_reader_and_agent_die_and_hang(walsup: Make, s3: S3Server) -> None:
    """A client without a daemon exits 1: that is never taken for the end."""
    source = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "1s"}).start()
    wait_protected(source)
    with Ledger(source) as ledger:
        for rows in (20, 40):
            until = rows
            source.wait_for(lambda: ledger.acknowledged > until, "rows")  # noqa: B023
            source.psql("select pg_switch_wal()")
    wait_no_lag(source)
    assert source.stop() == 0
    third = segments(s3, source.prefix)[2]
    with PickyProxy(s3.port) as proxy:
        clone = walsup(s3=None, env=source_of(s3, source.prefix, endpoint=proxy.endpoint))
        proxy.spoil("503", times=1_000_000, only=lambda what: third in what)
        clone.start()
        clone.wait_for(lambda: proxy.spoilt, "it waits for a segment", timeout_s=90)
        clone.wait_for(lambda: clone.state().get("reader_pid"), "a reader")
        agent = clone.kill("agent", SIGKILL)
        reader = clone.kill("reader", SIGKILL)
        for name, dead in (("agent", agent), ("reader", reader)):
            clone.wait_for(
                lambda: int(clone.state().get(f"{name}_pid") or 0) not in (0, dead),  # noqa: B023
                f"another {name}",
            )
        os.kill(clone.pid_of("reader"), SIGSTOP)
        proxy.spoil()
        clone.wait_accepts(timeout_s=170)
        assert clone.psql(ROWS) == f"{ledger.acknowledged}|{ledger.acknowledged}"


def test_a_key_that_may_only_read_is_enough_for_a_source(walsup: Make, s3: S3Server) -> None:
    """ListBucket and GetObject; without ListBucket absent and forbidden look alike: it waits."""
    source = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "1s"})
    source.prefix = f"{LEAST_PREFIX}/{source.prefix}"
    source.environment["WALSUP_ARCHIVE"] = f"s3://{s3.bucket}/{source.prefix}"
    source.start()
    wait_protected(source)
    source.psql("create table t as select 1 n")
    wait_no_lag(source)
    assert source.stop() == 0

    def key(name: str) -> dict[str, str]:
        return {
            **source_of(s3, source.prefix),
            "RESTORE_AWS_ACCESS_KEY_ID": name,
            "RESTORE_AWS_SECRET_ACCESS_KEY": f"secret-{name}",
        }

    reading = walsup(s3=None, env=key("least-no-PutObject")).start()
    reading.wait_accepts(timeout_s=90)
    assert reading.psql("select n from t") == "1"
    blind = walsup(s3=None, env=key("least-no-ListBucket")).start()
    blind.wait_for(lambda: "s3:ListBucket" in blind.state().get("detail", ""), "it says so")
    assert not [p for p in blind.pgdata.iterdir() if not p.name.startswith(".walsup-")]


def test_a_database_that_is_there_needs_no_source(walsup: Make, s3: S3Server) -> None:
    """The settings of a restore may stay when the source's key has long been taken away."""
    source = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "1s"}).start()
    wait_protected(source)
    assert source.stop() == 0
    secrets = source.layout.base / "keys"
    secrets.mkdir()
    keys = {"AWS_ACCESS_KEY_ID": s3.access_key, "AWS_SECRET_ACCESS_KEY": s3.secret_key}
    for name, text in keys.items():
        (secrets / name).write_text(text)
    given = {
        "WALSUP_RESTORE_FROM": f"s3://{s3.bucket}/{source.prefix}",
        "RESTORE_AWS_ENDPOINT": s3.endpoint,
        "WALSUP_RESTORE_SECRETS_DIR": str(secrets),
    }
    clone = walsup(env=given).start()
    wait_protected(clone)
    shutil.rmtree(secrets)
    time.sleep(6)  # secret files are looked at every five seconds
    assert "secrets" not in status(clone)["faults"]
    assert not clone.events("settings.kept")
    assert clone.stop() == 0
    # As if it had been killed between its promotion and the last that a restore does.
    memory = clone.pgdata / ".walsup-restore"
    memory.write_text(json.dumps(json.loads(memory.read_text()) | {"ended_at": 0}))
    clone.start()
    wait_protected(clone)
    assert clone.events("setting.of_source")
    assert json.loads(memory.read_text())["ended_at"]
    empty = walsup(env=given).start()
    assert empty.wait(timeout_s=30) == 64
    assert str(secrets) in empty.log()


def test_an_archive_in_a_directory_is_restored(walsup: Make) -> None:
    """A second disk instead of a bucket."""
    one = walsup(s3=None, env={"WALSUP_ARCHIVE_TIMEOUT": "1s"})
    with Volume(one.machine, megabytes=200) as volume:
        one.environment["WALSUP_ARCHIVE"] = f"file://{volume.archive}"
        one.environment["WALSUP_ON_EMPTY_PGDATA"] = "restore"
        one.start()
        wait_protected(one)
        one.psql("create table t as select 1 n")
        assert one.stop() == 0
        shutil.rmtree(one.pgdata)
        one.start()
        wait_protected(one, timeout_s=90)
        assert one.psql("select n from t") == "1"
        assert one.stop() == 0


@pytest.mark.rule("ownership")
def test_after_a_restore_there_is_one_new_backup_and_no_more(walsup: Make, s3: S3Server) -> None:
    """Restored from one that was taken on another timeline; restarts take none."""
    one = walsup(env={"WALSUP_ON_EMPTY_PGDATA": "restore"}).start()
    wait_protected(one)
    one.psql("create table t as select 1 n")
    assert one.stop() == 0
    shutil.rmtree(one.pgdata)
    for _ in range(2):
        one.start()
        wait_protected(one, timeout_s=90)
        assert one.psql("select n from t") == "1"
        assert len(sentinels(s3, one.prefix)) == 2
        assert one.stop() == 0


@pytest.mark.parametrize(("program", "code"), [("import time; time.sleep(60)", -9), ("1 / 0", 1)])
def test_a_fetch_that_moves_nothing_is_given_up(tmp_path: Path, program: str, code: int) -> None:
    """There is no other limit."""
    told: list[backup_fetch.Fetched] = []
    found = backup_fetch.run(
        [sys.executable, "-c", program],
        tmp_path / "output",
        lock=-1,
        more={},
        total_bytes=0,
        tell=told.append,
        silent_s=1.5,
    )
    assert found == code
