"""The main job on a good day: up, backed up, archived, stopped with nothing lost, up again."""

from collections.abc import Callable

import pytest

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import (
    cli,
    owner,
    segments,
    sentinels,
    status,
    verdict,
    wait_no_lag,
    wait_protected,
)

Make = Callable[..., Walsup]


@pytest.fixture
def running(walsup: Make) -> Walsup:
    """A protected database."""
    one = walsup().start()
    wait_protected(one)
    return one


def test_a_first_start_ends_in_a_protected_database(running: Walsup, s3: S3Server) -> None:
    """An independent reader finds the base backup, its WAL and the owner object."""
    assert len(sentinels(s3, running.prefix)) == 1
    assert segments(s3, running.prefix)[0] == "000000010000000000000001"
    found = owner(s3, running.prefix)
    assert found["system_id"] == status(running)["system_id"]
    assert (found["epoch"], found["state"], found["timeline"]) == (1, "running", 1)
    assert found["boot"]
    assert found["instance"]
    assert found["compression"] == {"walrus": "zstd", "wal-g": "lz4"}[running.engine]


@pytest.mark.rule("stop-ladder")
def test_a_stop_says_that_nothing_is_lost_and_it_is_true(running: Walsup, s3: S3Server) -> None:
    """The verdict names the last segment, and boto3 finds everything up to it."""
    running.psql("create table t as select generate_series(1, 100000) n")
    before = int(status(running)["init"]["postgres_pid"])
    assert running.stop() == 0
    said = verdict(running)
    assert "is in the bucket: yes" in said
    last = said.partition("(")[2].partition(",")[0]
    names = segments(s3, running.prefix)
    assert names[-1] == last
    assert names == [f"{1:08X}{0:08X}{n:08X}" for n in range(1, len(names) + 1)]
    control = running.tools.control(running.pgdata)
    assert control["Database cluster state"] == "shut down"
    assert owner(s3, running.prefix)["state"] == "stopped"
    assert before > 1


def test_the_next_start_takes_no_second_backup_and_raises_the_epoch(
    running: Walsup, s3: S3Server
) -> None:
    """Five restarts in a row lose nothing and leave one base backup."""
    running.psql("create table t (n int)")
    for turn in range(1, 6):
        running.psql(f"insert into t values ({turn})")
        assert running.stop() == 0
        assert "yes" in verdict(running)
        running.start()
        wait_protected(running)
        assert running.psql("select count(*) from t") == str(turn)
        assert owner(s3, running.prefix)["epoch"] == turn + 1
    assert len(sentinels(s3, running.prefix)) == 1


@pytest.mark.rule("lag")
def test_lag_rises_when_the_archive_stops_and_falls_when_it_is_back(
    running: Walsup, s3: S3Server
) -> None:
    """Lag counts what is not seen in the bucket, and is zero on an idle database."""
    wait_no_lag(running)
    running.psql("create table t (x text)")
    running.kill("engine", 19)
    for _ in range(3):
        running.psql("insert into t select repeat('x', 1000) from generate_series(1, 1000)")
        running.psql("select pg_switch_wal()")
    running.wait_for(lambda: status(running)["lag"]["segments"] >= 3, "three segments of lag")
    seen = status(running)["lag"]
    assert seen["bytes"] >= 3 * 16 * 1024 * 1024
    assert not seen["idle"]
    running.kill("engine")
    running.wait_for(lambda: status(running)["lag"]["segments"] == 0, "no segment of lag")
    assert len(segments(s3, running.prefix)) >= 5


@pytest.mark.rule("lag")
def test_an_idle_database_has_no_lag_however_old_its_last_segment(walsup: Make) -> None:
    """After a switch with no transaction behind it there is nothing to lose."""
    one = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "2s"}).start()
    wait_protected(one)
    wait_no_lag(one)
    one.psql("create table t as select 1 as n")
    seen = wait_no_lag(one)
    assert (seen["lag"]["segments"], seen["lag"]["bytes"], seen["lag"]["seconds"]) == (0, 0, 0)


def test_status_on_the_command_line_tells_the_same(running: Walsup) -> None:
    """`walsup status` exits 0 and shows the gate, the backup and the lag."""
    done = cli(running, "status")
    assert done.returncode == 0, done.stderr
    assert "protected  yes" in done.stdout
    assert "backup     proven base_" in done.stdout


def test_without_an_archive_postgres_runs_and_says_that_it_is_not_protected(
    walsup: Make,
) -> None:
    """Log, status and readiness detail say it; archiving is off."""
    one = walsup(s3=None).start()
    one.wait_accepts()
    one.wait_for(lambda: status(one).get("ready"), "ready")
    seen = status(one)
    assert not seen["protected"]
    assert "not protected" in seen["reasons"][0]
    code, body = one.http("/readyz")
    assert code == 200
    assert "not protected" in body["reasons"][0]
    assert one.events("archive.none")
    assert one.psql("show archive_mode") == "off"
    assert one.stop() == 0
