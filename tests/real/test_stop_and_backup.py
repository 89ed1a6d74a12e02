"""Stops in bad moments, and the first base backup when it does not go well at once."""

import time
from collections.abc import Callable

import pytest

from dev.harness import FaultProxy, S3Server, Walsup
from dev.harness.checks.witness import (
    cli,
    owner,
    segments,
    sentinels,
    status,
    verdict,
    wait_fault,
    wait_protected,
)

Make = Callable[..., Walsup]


@pytest.mark.rule("stop-ladder")
def test_with_s3_hanging_the_stop_ends_in_time_and_says_what_is_missing(
    walsup: Make, s3: S3Server
) -> None:
    """postgres is down cleanly, the exit code is 0, the verdict is no; the next start heals."""
    with FaultProxy(s3.port) as proxy:
        one = walsup(endpoint=proxy.endpoint, env={"WALSUP_STOP_GRACE": "8s"}).start()
        wait_protected(one)
        proxy.hang()
        one.psql("create table t as select generate_series(1, 1000) n")
        assert one.stop(timeout_s=11) == 0
        said = verdict(one)
        assert "is in the bucket: no" in said
        assert "0000000100000000000000" in said
        control = one.tools.control(one.pgdata)
        assert control["Database cluster state"] == "shut down"
        proxy.pass_through()
        one.start()
        wait_protected(one)
        assert one.psql("select count(*) from t") == "1000"
        assert one.stop() == 0
        assert "is in the bucket: yes" in verdict(one)
        names = segments(s3, one.prefix)
        assert names == [f"{1:08X}{0:08X}{n:08X}" for n in range(1, len(names) + 1)]


@pytest.mark.rule("stop-ladder")
def test_what_the_archiver_gave_up_is_swept_after_postgres(walsup: Make, s3: S3Server) -> None:
    """S3 is back after postgres has gone: the rest is pushed and the verdict is yes.

    By the agent, unless a retry of the daemon's own was faster: what is there is not pushed again.
    """
    with FaultProxy(s3.port) as proxy:
        one = walsup(endpoint=proxy.endpoint, env={"WALSUP_STOP_GRACE": "20s"}).start()
        wait_protected(one)
        proxy.refuse()
        one.psql("create table t as select generate_series(1, 1000) n")
        one.signal(15)
        one.wait_for(lambda: one.state().get("phase") == "sweeping", "postgres has gone")
        proxy.pass_through()
        assert one.wait() == 0
        assert (
            one.events("segment.swept")
            or "uploaded wal_005/" in one.log().rpartition("postgres.ended")[2]
        )
        assert "is in the bucket: yes" in verdict(one)


def test_immediate_shutdown_is_131_and_nothing_is_claimed(walsup: Make) -> None:
    """QUIT: postgres did not shut down, so the verdict is no."""
    one = walsup().start()
    wait_protected(one)
    one.signal(3)
    assert one.wait() == 131
    assert "is in the bucket: no: postgres did not shut down" in verdict(one)
    one.start()
    wait_protected(one)


def test_postgres_killed_ends_the_container_with_its_meaning(walsup: Make) -> None:
    """128+9, and the next start recovers."""
    one = walsup().start()
    wait_protected(one)
    one.kill("postgres")
    assert one.wait() == 137
    one.start()
    wait_protected(one)


def test_the_first_backup_is_tried_again_until_s3_is_there(walsup: Make, s3: S3Server) -> None:
    """Serving is never blocked by it, and there is one backup in the end."""
    with FaultProxy(s3.port) as proxy:
        one = walsup(endpoint=proxy.endpoint).start()
        one.wait_for(lambda: one.events("backup.began") or None, "the backup begins")
        proxy.answer(500)
        fault = wait_fault(one, "backup", timeout_s=90)
        assert fault["problem"]
        assert one.psql("select 1") == "1"
        assert one.http("/readyz")[0] == 200
        proxy.pass_through()
        wait_protected(one, timeout_s=120)
        assert len(sentinels(s3, one.prefix)) >= 1
        assert status(one)["backup"]["state"] == "proven"


def test_term_during_the_backup_stops_in_time_and_leaves_no_backup(
    walsup: Make, s3: S3Server
) -> None:
    """What a cancelled backup leaves has no sentinel, so no engine takes it for one."""
    with FaultProxy(s3.port) as proxy:
        proxy.lose("_backup_stop_sentinel.json")  # else it might have ended before the TERM
        one = walsup(endpoint=proxy.endpoint).start()
        one.wait_event("backup.began")
        one.wait_for(lambda: s3.keys(f"{one.prefix}/basebackups_005/"), "a part of it is there")
        assert one.stop() == 0
        assert sentinels(s3, one.prefix) == []
        proxy.lose("")
        one.start()
        wait_protected(one)
        assert len(sentinels(s3, one.prefix)) == 1


@pytest.mark.rule("any-uid")
def test_a_refused_login_is_named_and_archiving_goes_on(walsup: Make, s3: S3Server) -> None:
    """The fault names the pg_hba line to add."""
    one = walsup().start()
    wait_protected(one)
    hba = one.pgdata / "pg_hba.conf"
    open_to_all = hba.read_text()
    assert one.stop() == 0
    hba.write_text("local all postgres reject\n" + open_to_all.replace("local", "#local"))
    one.start()
    fault = wait_fault(one, "database")
    assert fault["kind"] == "database login"
    assert "local all postgres trust" in fault["remedy"]
    before = len(segments(s3, one.prefix))
    one.wait_for(lambda: status(one)["gate"]["state"] == "open", "the gate is open")
    assert not status(one)["protected"]
    assert not status(one)["lag"]["known"]
    assert one.stop() == 0
    assert "is in the bucket: yes" in verdict(one)
    assert len(segments(s3, one.prefix)) >= before
    hba.write_text(open_to_all)
    one.start()
    wait_protected(one)


@pytest.mark.rule("stop-ladder")
def test_an_agent_killed_in_the_sweep_is_started_again_and_gives_the_verdict(
    walsup: Make, s3: S3Server
) -> None:
    """The grace is used: the next agent confirms the archive and looks into the bucket."""
    with FaultProxy(s3.port) as proxy:
        one = walsup(endpoint=proxy.endpoint, env={"WALSUP_STOP_GRACE": "20s"}).start()
        wait_protected(one)
        proxy.refuse()
        one.psql("create table t as select generate_series(1, 1000) n")
        one.signal(15)
        one.wait_for(lambda: one.state().get("phase") == "sweeping", "postgres has gone")
        one.kill("agent")
        proxy.pass_through()
        assert one.wait() == 0
        assert "is in the bucket: yes" in verdict(one)


def test_a_stop_right_after_a_start_still_gives_a_verdict(walsup: Make) -> None:
    """The gate is opened for the sweep even when postgres has gone before it was."""
    one = walsup().start()
    wait_protected(one)
    assert one.stop() == 0
    one.start()
    one.wait_for(lambda: one.events("postgres.started"), "postgres is started")
    assert one.stop() == 0
    assert "is in the bucket: yes" in verdict(one)


def test_a_second_run_in_the_container_does_not_disturb_the_first(walsup: Make) -> None:
    """It may not write the state file, which the agent and the probes read."""
    one = walsup().start()
    wait_protected(one)
    other = walsup()
    for name in ("PGDATA", "WALSUP_RUN_DIR"):
        other.environment[name] = one.environment[name]
    other.start()
    other.wait_event("start.refused", timeout_s=40)
    assert other.wait() == 67
    assert one.state()["phase"] == "running"
    assert status(one)["protected"]
    third = walsup()
    third.environment["WALSUP_RUN_DIR"] = one.environment["WALSUP_RUN_DIR"]
    third.start()
    assert third.wait() == 67
    assert one.state()["phase"] == "running"


def test_the_operators_own_archive_timeout_is_kept_by_the_agent_too(walsup: Make) -> None:
    """No switch of ours before it is due."""
    one = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "1s"}, args=["-c", "archive_timeout=1h"]).start()
    wait_protected(one)
    before = len(one.events("segment.switched"))
    for _ in range(16):
        one.psql("create table if not exists t (n int); insert into t values (1)")
        time.sleep(0.5)
    assert len(one.events("segment.switched")) == before
    assert status(one)["database"]["archive_timeout_s"] == 3600


@pytest.mark.rule("any-uid")
def test_a_login_lost_in_mid_run_makes_the_lag_unknown(walsup: Make) -> None:
    """The last known lag is not shown as if it were measured; all is green again afterwards."""
    one = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "2s"}).start()
    wait_protected(one)
    one.wait_for(lambda: status(one)["lag"]["known"], "the lag is known")
    one.psql("create role boss superuser login")
    one.psql("alter role postgres nologin")
    one.psql(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'walsup'",
        user="boss",
    )
    assert wait_fault(one, "database")["kind"] == "database login"
    one.wait_for(lambda: not status(one)["lag"]["known"], "the lag is unknown")
    assert "walsup_lag_bytes" not in str(one.http("/metrics")[1]).replace("# ", "")
    one.psql("alter role postgres login", user="boss")
    wait_protected(one)
    one.wait_for(lambda: status(one)["lag"]["known"], "the lag is known again")


def test_the_verdict_names_a_base_backup_that_is_not_there(walsup: Make, s3: S3Server) -> None:
    """Stopped during the first one, or without any: all segments alone restore nothing."""
    with FaultProxy(s3.port) as proxy:
        proxy.lose("_backup_stop_sentinel.json")
        one = walsup(endpoint=proxy.endpoint).start()
        one.wait_event("backup.began")
        one.wait_for(lambda: s3.keys(f"{one.prefix}/basebackups_005/"), "a part of it is there")
        assert one.stop() == 0
        assert "is in the bucket: no: the archive has no base backup" in verdict(one)
        proxy.lose("")
    one.environment |= {"WALSUP_INITIAL_BACKUP": "0", "AWS_ENDPOINT": s3.endpoint}
    one.start()
    one.wait_for(lambda: status(one)["gate"]["state"] == "open", "the gate is open")
    assert "no base backup" in status(one)["previous"]["verdict"]
    assert one.stop() == 0
    assert "is in the bucket: no: the archive has no base backup" in verdict(one)
    one.environment["WALSUP_INITIAL_BACKUP"] = "1"
    one.start()
    wait_protected(one)
    assert one.stop() == 0
    assert "is in the bucket: yes" in verdict(one)
    (sentinel,) = sentinels(s3, one.prefix)
    folder = sentinel.removesuffix("_backup_stop_sentinel.json")
    one.start()
    wait_protected(one)
    for key in s3.keys(f"{folder}/tar_partitions/"):
        s3.delete(key)
    assert one.stop() == 0
    assert "is in the bucket: no" in verdict(one)


def test_a_verdict_of_an_earlier_run_does_not_stand_in_the_next(walsup: Make, s3: S3Server) -> None:
    """Killed, the next run leaves no word; the one after it says so, from directory and archive."""
    one = walsup().start()
    wait_protected(one)
    assert one.stop() == 0
    said = verdict(one)
    assert "is in the bucket: yes" in said
    assert owner(s3, one.prefix)["verdict"] == said
    one.start()
    wait_protected(one)
    assert verdict(one) == ""
    seen = status(one)["previous"]
    assert (seen["how"], seen["verdict"], seen["told_by"]) == ("stopped", said, "data directory")
    assert f": {said}" in cli(one, "status").stdout
    one.kill_tree()
    assert verdict(one) == ""
    one.start()
    wait_protected(one)
    assert status(one)["previous"]["how"] == "crashed"
    assert "ended without a verdict" in cli(one, "status").stdout


def test_the_last_verdict_is_in_the_archive_too(walsup: Make) -> None:
    """The pod and its volume have gone: the owner object has it for who comes next."""
    one = walsup().start()
    wait_protected(one)
    assert one.stop() == 0
    said = verdict(one)
    two = walsup(prefix=one.prefix, env={"WALSUP_ON_EMPTY_PGDATA": "restore"}).start()
    wait_protected(two)
    seen = status(two)["previous"]
    assert (seen["how"], seen["verdict"], seen["told_by"]) == ("stopped", said, "archive")


def test_a_stop_waits_for_a_silent_bucket_only_as_long_as_its_patience(
    walsup: Make, s3: S3Server
) -> None:
    """An outage of S3 is no outage of the database for a whole grace; one that ends is used."""
    env = {"WALSUP_STOP_GRACE": "120s", "WALSUP_STOP_PATIENCE": "3s"}
    with FaultProxy(s3.port) as proxy:
        one = walsup(endpoint=proxy.endpoint, env=env).start()
        wait_protected(one)
        for fault in (proxy.refuse, proxy.hang):
            one.psql("create table if not exists t (n int); insert into t values (1)")
            fault()
            assert one.stop(timeout_s=60) == 0
            assert "is in the bucket: no: the bucket has not answered for 3" in verdict(one)
            proxy.pass_through()
            one.start()
            wait_protected(one)
            assert "has not answered" in status(one)["previous"]["verdict"]
        one.psql("insert into t values (1)")
        one.environment["WALSUP_STOP_PATIENCE"] = "60s"
        proxy.refuse()
        one.signal(15)
        one.wait_for(lambda: one.state().get("phase") == "sweeping", "postgres has gone")
        proxy.pass_through()
        assert one.wait() == 0


def test_a_stop_does_not_give_up_on_a_bucket_that_answers_with_errors(
    walsup: Make, s3: S3Server
) -> None:
    """Throttled, or with keys that are being exchanged, for longer than WALSUP_STOP_PATIENCE."""
    env = {"WALSUP_STOP_GRACE": "60s", "WALSUP_STOP_PATIENCE": "2s"}
    with FaultProxy(s3.port) as proxy:
        one = walsup(endpoint=proxy.endpoint, env=env)
        for status_code in (503, 403):
            one.start()
            wait_protected(one)
            one.psql("create table if not exists t (n int); insert into t values (1)")
            proxy.answer(status_code)
            one.signal(15)
            one.wait_for(lambda: one.state().get("phase") == "sweeping", "postgres has ended")
            time.sleep(4)
            proxy.pass_through()
            assert one.wait() == 0
            assert "is in the bucket: yes" in verdict(one), status_code


def test_one_request_that_hangs_does_not_cost_a_stop_its_verdict(
    walsup: Make, s3: S3Server
) -> None:
    """WAL-RUS's daemon joins each new push to the hung one: it is replaced, and gone round."""
    with FaultProxy(s3.port) as proxy:
        env = {"WALSUP_STOP_GRACE": "25s"}
        one = walsup(endpoint=proxy.endpoint, env=env).start()
        wait_protected(one)
        for method in ("PUT", "HEAD"):
            one.psql("create table if not exists t (n int); insert into t values (1)")
            name = one.psql("select pg_walfile_name(pg_current_wal_lsn())")
            proxy.lose(f"{method} /{s3.bucket}/{one.prefix}/wal_005/{name}", times=1)
            one.psql("select pg_switch_wal()")
            time.sleep(1)
            assert one.stop() == 0
            assert "is in the bucket: yes" in verdict(one), method
            one.start()
            wait_protected(one)
