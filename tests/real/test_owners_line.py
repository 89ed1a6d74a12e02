"""Latest is the line of the archive's owner: a branch in the archive is shown, and not followed."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from dev.harness import Machine, S3Server, Walsup
from dev.harness.checks.witness import cli, owner, sentinels, status, wait_no_lag, wait_protected
from dev.harness.scenarios.branch import branch
from dev.harness.scenarios.clones import answer_of_clone, source_of

Make = Callable[..., Walsup]
ROWS = "select string_agg(n::text, ' ' order by n) from t"
NAMED = "WALSUP_RESTORE_TARGET_TIMELINE"


@dataclass(frozen=True, kw_only=True)
class Story:
    """A source with rows 1 to 4, and a branch in its archive that has 1, 2, 91 and 92."""

    one: Walsup
    prefix: str


@pytest.fixture(scope="module", params=[False, True], ids=["wal", "wal and backup"])
def story(
    machine: Machine, engine: str, s3: S3Server, request: pytest.FixtureRequest
) -> Iterator[Story]:
    """The clone was made by hand, promoted, and left with its archive_command."""
    env = {"WALSUP_ARCHIVE_TIMEOUT": "2s", "WALSUP_ON_EMPTY_PGDATA": "restore"}
    with Walsup(machine, s3=s3, engine=engine, env=env | {"WALSUP_LEASE": "1s"}) as one:
        one.start()
        wait_protected(one)
        one.psql("create table t (n int); insert into t values (1), (2)")
        wait_no_lag(one)
        target = one.pgdata.parent / "branch"
        sql = "insert into t select generate_series(91, 92)"
        branch(one, target, sql, backup=request.param)
        one.psql("insert into t values (3), (4)")
        wait_no_lag(one)
        assert one.stop() == 0
        yield Story(one=one, prefix=one.prefix)


def _wait_open(one: Walsup) -> None:
    """The archive is its own again: of a branch in it the audit speaks, and it is green no more."""
    one.wait_for(lambda: status(one)["gate"]["state"] == "open", "archiving is enabled")
    one.wait_for(lambda: status(one)["backup"]["state"] == "proven", "a base backup", timeout_s=60)


def test_latest_is_the_owners_line_in_a_restore_its_check_and_the_list(
    walsup: Make, s3: S3Server, story: Story
) -> None:
    """The branch has the higher timeline, and is reached by its number alone."""
    assert any("00000002.history" in key for key in s3.keys(f"{story.prefix}/wal_005/"))
    asking = walsup(s3=None, env=source_of(s3, story.prefix))
    listed = cli(asking, "restore", "--list").stdout
    assert "timeline 1\n" in listed
    assert "timeline 2, out of 1 at " in listed
    assert ": a branch, not the owner's" in listed
    assert ("; of a branch" in listed) == (len(sentinels(s3, story.prefix)) > 1)
    checked = cli(asking, "restore", "--check")
    assert checked.returncode == 0, checked.stderr
    assert "timeline  1\n" in checked.stdout
    assert answer_of_clone(walsup, s3, story.prefix, ROWS) == "1 2 3 4"
    assert answer_of_clone(walsup, s3, story.prefix, ROWS, {NAMED: "2"}) == "1 2 91 92"
    assert answer_of_clone(walsup, s3, story.prefix, ROWS, {NAMED: "current"}) == "1 2 3 4"


def test_latest_is_the_owners_line_without_owner_it_has_to_be_named(
    walsup: Make, s3: S3Server, story: Story
) -> None:
    """As in an archive of WAL-G's: both timelines are named, and each can be restored."""
    key = f"{story.prefix}/walsup/owner.json"
    content = s3.get(key)
    s3.delete(key)
    try:
        asking = walsup(s3=None, env=source_of(s3, story.prefix))
        refused = cli(asking, "restore", "--check")
        assert refused.returncode != 0
        assert "more than one timeline is open-ended" in refused.stderr
        assert "timeline 1, with base_00000001" in refused.stderr
        assert "timeline 2, out of 1 at " in refused.stderr
        assert NAMED in refused.stderr
        assert NAMED in cli(asking, "restore", "--list").stdout
        assert answer_of_clone(walsup, s3, story.prefix, ROWS, {NAMED: "1"}) == "1 2 3 4"
    finally:
        s3.put(key, content)


def test_latest_is_the_owners_line_for_a_standby_and_a_restart(
    walsup: Make, s3: S3Server, story: Story
) -> None:
    """The source goes on as if nothing were there; a standby is built from it and follows it."""
    one = story.one.start()
    _wait_open(one)
    one.psql("insert into t values (5)")
    wait_no_lag(one)
    standby = walsup(
        s3=s3, prefix=one.prefix, env={"WALSUP_ROLE": "standby", "WALSUP_LEASE": "1s"}
    ).start()
    standby.wait_accepts(timeout_s=60)
    has_table = "select to_regclass('t') is not null"
    standby.wait_for(
        lambda: standby.psql(has_table) == "t" and standby.psql(ROWS) == "1 2 3 4 5",
        "it follows the owner",
    )
    assert standby.stop() == 0
    one.psql("delete from t where n = 5")
    wait_no_lag(one)
    assert one.stop() == 0


def test_latest_is_the_owners_line_when_the_volume_is_lost(s3: S3Server, story: Story) -> None:
    """It comes back with its own rows, under a number that the branch has not taken."""
    one = story.one
    shutil.rmtree(one.pgdata)
    one.start()
    one.wait_accepts(timeout_s=90)
    assert one.psql(ROWS) == "1 2 3 4"
    _wait_open(one)
    seen = owner(s3, one.prefix)
    assert (seen["own_timeline"], seen["former"]) == (3, [])
    assert [number for number, _ in seen["left"]] == [1]
    one.psql("insert into t values (6)")
    wait_no_lag(one)
    assert one.stop() == 0
    listed = cli(one, "restore", "--list").stdout
    assert "timeline 3, out of 1 at " in listed
    assert "timeline 2, out of 1" in listed.partition("timeline 3")[2]
