"""To a moment, a position, a transaction, a name: exactly there, or a refusal that helps."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from dev.harness import Machine, S3Server, Walsup
from dev.harness.checks.witness import cli, owner, verdict, wait_no_lag, wait_protected
from dev.harness.faults.http_fault_proxy import PickyProxy
from dev.harness.scenarios.clones import answer_of_clone, source_of

Make = Callable[..., Walsup]
ROWS = "select coalesce(string_agg(n::text, ' ' order by n), 'none') from t"


@dataclass(frozen=True, kw_only=True)
class Story:
    """An archive with rows 1 to 5, and where each of them stands; then the table was dropped."""

    prefix: str
    at: dict[int, str]
    lsn: dict[int, str]
    xid: dict[int, str]
    ended: str


@pytest.fixture(scope="module")
def story(machine: Machine, s3: S3Server) -> Iterator[Story]:
    """Written once; a restore point before the fourth row."""
    with Walsup(machine, s3=s3, env={"WALSUP_ARCHIVE_TIMEOUT": "2s"}) as one:
        one.start()
        wait_protected(one)
        one.psql("create table t (n int)")
        at, lsn, xid = {}, {}, {}
        for n in range(1, 6):
            if n == 4:
                one.psql("select pg_create_restore_point('before four')")
            xid[n] = one.psql(f"insert into t values ({n}) returning txid_current()")
            lsn[n] = one.psql("select pg_current_wal_lsn()")
            at[n] = one.psql("select clock_timestamp()")
            time.sleep(0.3)  # commits that a clock tells apart
        one.psql("drop table t")
        wait_no_lag(one)
        ended = one.psql("select clock_timestamp()")

        def renewed() -> bool:
            return float(owner(s3, one.prefix)["complete_until"]) > float(
                one.psql(f"select extract(epoch from '{ended}'::timestamptz)")
            )

        one.wait_for(renewed, "the owner says that all of it is archived", timeout_s=60)
        assert one.stop() == 0
        yield Story(prefix=one.prefix, at=at, lsn=lsn, xid=xid, ended=ended)


def test_the_moment_before_a_dropped_table(walsup: Make, s3: S3Server, story: Story) -> None:
    """As a person would say it, with a time zone."""
    wanted = {"WALSUP_RESTORE_TARGET_TIME": story.at[5]}
    assert answer_of_clone(walsup, s3, story.prefix, ROWS, wanted) == "1 2 3 4 5"


def test_a_position_a_transaction_and_a_name(walsup: Make, s3: S3Server, story: Story) -> None:
    """Each ends behind its own row; a transaction can be left out too."""
    for wanted, rows in (
        ({"WALSUP_RESTORE_TARGET_LSN": story.lsn[2]}, "1 2"),
        ({"WALSUP_RESTORE_TARGET_XID": story.xid[3]}, "1 2 3"),
        (
            {
                "WALSUP_RESTORE_TARGET_XID": story.xid[3],
                "WALSUP_RESTORE_TARGET_INCLUSIVE": "off",
            },
            "1 2",
        ),
        ({"WALSUP_RESTORE_TARGET_NAME": "before four"}, "1 2 3"),
    ):
        assert answer_of_clone(walsup, s3, story.prefix, ROWS, wanted) == rows


def test_the_base_backup_alone(walsup: Make, s3: S3Server, story: Story) -> None:
    """Consistent, and not a commit further."""
    wanted = {"WALSUP_RESTORE_TARGET_IMMEDIATE": "on"}
    query = "select count(*) from pg_class where relname = 't'"
    assert answer_of_clone(walsup, s3, story.prefix, query, wanted) == "0"


@pytest.mark.rule("quiet-database")
def test_a_target_in_quiet_time_ends_at_the_last_commit(
    walsup: Make, s3: S3Server, story: Story
) -> None:
    """PostgreSQL alone would end with FATAL: the archive is proven to reach further."""
    env = source_of(s3, story.prefix) | {"WALSUP_RESTORE_TARGET_TIME": story.ended}
    clone = walsup(s3=None, env=env).start()
    clone.wait_accepts(timeout_s=90)
    assert clone.psql("select count(*) from pg_class where relname = 't'") == "0"
    told = [event["problem"] for event in clone.events("restore.warning")]
    assert any("ends at the last commit" in problem for problem in told)


@pytest.mark.rule("quiet-database")
def test_a_target_behind_the_archive_names_the_nearest(
    walsup: Make, s3: S3Server, story: Story
) -> None:
    """What cannot be reached is refused before anything is touched, with what can be."""
    complete_until = float(owner(s3, story.prefix)["complete_until"])
    while time.time() < complete_until + 2:
        time.sleep(0.1)
    late = time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime(complete_until + 1.5))
    env = source_of(s3, story.prefix) | {"WALSUP_RESTORE_TARGET_TIME": late}
    one = walsup(s3=None, env=env).start()
    assert one.wait() == 74
    assert "the nearest moment that can be reached is" in verdict(one)
    assert not [path for path in one.pgdata.iterdir() if path.name != ".walsup-instance"]
    checked = cli(one, "restore", "--check")
    assert checked.returncode == 74
    assert "the nearest moment that can be reached is" in checked.stderr


def test_a_name_that_is_nowhere_is_not_the_end(walsup: Make, s3: S3Server, story: Story) -> None:
    """No pre-flight can know it; recovery ends with an error, and says what was not met."""
    env = source_of(s3, story.prefix) | {"WALSUP_RESTORE_TARGET_NAME": "nowhere"}
    one = walsup(s3=None, env=env).start()
    assert one.wait(timeout_s=90) == 74
    assert "recovery has not reached the target of the restore (name nowhere)" in verdict(one)


def test_a_pause_is_left_by_a_person(walsup: Make, s3: S3Server, story: Story) -> None:
    """Read-only at the target, not ready; then promoted, and archived on the new timeline."""
    env = source_of(s3, story.prefix) | {
        "WALSUP_RESTORE_TARGET_LSN": story.lsn[3],
        "WALSUP_RESTORE_TARGET_ACTION": "pause",
    }
    clone = walsup(env=env).start()
    clone.wait_for(
        lambda: (
            clone.accepts() and clone.psql("select pg_get_wal_replay_pause_state()") == "paused"
        ),
        "it is paused",
        timeout_s=90,
    )
    assert clone.psql(ROWS) == "1 2 3"
    assert clone.http("/readyz")[0] == 503
    clone.psql("select pg_wal_replay_resume()")
    wait_protected(clone)
    assert clone.psql("select pg_walfile_name(pg_current_wal_lsn())").startswith("00000002")


def test_a_shutdown_at_the_target_can_be_gone_on_from(
    walsup: Make, s3: S3Server, story: Story
) -> None:
    """It ends there by itself, cleanly; told to promote, the next start does."""
    env = source_of(s3, story.prefix) | {"WALSUP_RESTORE_TARGET_LSN": story.lsn[3]}
    clone = walsup(s3=None, env={**env, "WALSUP_RESTORE_TARGET_ACTION": "shutdown"}).start()
    assert clone.wait(timeout_s=90) == 0
    clone.environment["WALSUP_RESTORE_TARGET_ACTION"] = "promote"
    clone.start()
    clone.wait_event("restore.resumed")
    clone.wait_accepts(timeout_s=90)
    assert clone.psql(ROWS) == "1 2 3"


def test_check_and_list_say_what_would_happen(walsup: Make, s3: S3Server, story: Story) -> None:
    """Without touching anything."""
    env = source_of(s3, story.prefix) | {"WALSUP_RESTORE_TARGET_TIME": story.at[2]}
    one = walsup(s3=None, env=env)
    checked = cli(one, "restore", "--check")
    assert checked.returncode == 0, checked.stderr
    assert "the restore would work" in checked.stdout
    listed = cli(one, "restore", "--list")
    assert listed.returncode == 0, listed.stderr
    assert "1 base backups" in listed.stdout
    assert "timeline 1" in listed.stdout


@pytest.mark.rule("stage")
def test_killed_between_the_signal_file_and_the_new_timeline(
    walsup: Make, s3: S3Server, story: Story
) -> None:
    """postgres removes the file first: started without it, it would go on behind the target."""
    with PickyProxy(s3.port) as proxy:
        env = source_of(s3, story.prefix, endpoint=proxy.endpoint)
        clone = walsup(s3=None, env=env | {"WALSUP_RESTORE_TARGET_LSN": story.lsn[2]})
        # What it asks for in between; held there.
        proxy.spoil("slow", times=1_000, only=lambda what: "00000001.history" in what)
        clone.start()
        clone.wait_for((clone.pgdata / "recovery.signal").exists, "it recovers")
        clone.wait_for(
            lambda: not (clone.pgdata / "recovery.signal").exists(), "it ends", timeout_s=90
        )
        clone.kill_tree()
        # WAL-G does not ask for it by name: there the kill may come a moment too late.
        held = bool(proxy.spoilt)
        assert held or clone.engine == "wal-g"
        proxy.spoil()
        clone.start()
        if held:
            clone.wait_event("restore.resumed")
        clone.wait_accepts(timeout_s=90)
        assert clone.psql(ROWS) == "1 2"
        assert clone.psql("select pg_walfile_name(pg_current_wal_lsn())").startswith("00000002")
