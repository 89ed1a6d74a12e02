"""Settings that were raised after the base backup: a recovery needs them as its primary did."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from dev.harness import Machine, S3Server, Walsup
from dev.harness.checks.witness import owner, verdict, wait_fault, wait_no_lag, wait_protected
from dev.harness.scenarios.clones import source_of
from dev.harness.scenarios.standbys import LEASE, STANDBY

Make = Callable[..., Walsup]
_KIN = {
    "max_connections": 130,
    "max_worker_processes": 11,
    "max_wal_senders": 13,
    "max_prepared_transactions": 7,
    "max_locks_per_transaction": 70,
}
_RAISED = [word for name, value in _KIN.items() for word in ("-c", f"{name}={value}")]
_ROWS = "select count(*) from t"
_PREPARED = "select string_agg(gid, ' ') from pg_prepared_xacts"


@dataclass(frozen=True, kw_only=True)
class Story:
    """An archive, one that does not tell what was raised, and the end of both."""

    prefix: str
    older: str
    lsn: str


@pytest.fixture(scope="module")
def story(machine: Machine, s3: S3Server) -> Iterator[Story]:
    """A base backup with low settings, then WAL with higher ones; a transaction is left."""
    with Walsup(machine, s3=s3, env={"WALSUP_ARCHIVE_TIMEOUT": "2s"}) as one:
        one.start()
        wait_protected(one)
        one.psql("create table t as select 1 n")
        assert one.stop() == 0
        one.args = _RAISED
        one.start()
        wait_protected(one)
        one.psql("begin; insert into t values (2); prepare transaction 'left'")
        one.psql("insert into t values (3)")
        lsn = one.psql("select pg_current_wal_lsn()")
        one.psql("insert into t values (4)")
        wait_no_lag(one)
        assert one.stop() == 0
        assert dict(owner(s3, one.prefix)["limits"]) == _KIN
        older = f"{one.prefix}-older"
        for key in s3.keys(f"{one.prefix}/"):
            s3.put(key.replace(one.prefix, older, 1), s3.get(key))
        fields = owner(s3, older) | {"limits": []}
        s3.put(f"{older}/walsup/owner.json", json.dumps(fields).encode())
        yield Story(prefix=one.prefix, older=older, lsn=lsn)


def _clone(walsup: Make, s3: S3Server, prefix: str, story: Story, action: str) -> Walsup:
    wanted = {"WALSUP_RESTORE_TARGET_LSN": story.lsn, "WALSUP_RESTORE_TARGET_ACTION": action}
    return walsup(s3=None, env=source_of(s3, prefix) | wanted).start()


def _wait_paused(clone: Walsup) -> None:
    clone.wait_for(
        lambda: (
            clone.accepts() and clone.psql("select pg_get_wal_replay_pause_state()") == "paused"
        ),
        "it is paused",
        timeout_s=90,
    )
    assert clone.psql(_ROWS) == "2"


def test_a_pause_needs_no_second_start_where_the_owner_tells(
    walsup: Make, s3: S3Server, story: Story
) -> None:
    """All five are raised at once; the prepared transaction outlives the run that raised them."""
    clone = _clone(walsup, s3, story.prefix, story, "pause")
    _wait_paused(clone)
    clone.psql("select pg_wal_replay_resume()")
    clone.wait_for(lambda: clone.psql("select pg_is_in_recovery()") == "f", "it is promoted")
    clone.wait_event("restore.ended")
    assert clone.stop() == 0
    for _ in range(2):
        clone.start()
        clone.wait_accepts()
        assert clone.psql(_PREPARED) == "left"
        clone.kill_tree()
    clone.start()
    clone.wait_accepts()
    clone.psql("commit prepared 'left'")
    assert clone.psql(_ROWS) == "3"
    assert clone.stop() == 0
    clone.start()
    clone.wait_accepts()
    assert clone.psql("show max_prepared_transactions") == "0"


def test_a_pause_before_the_target_is_ended_and_goes_on(
    walsup: Make, s3: S3Server, story: Story
) -> None:
    """Of an archive that does not tell: each setting is named with both values."""
    clone = _clone(walsup, s3, story.older, story, "pause")
    assert clone.wait(timeout_s=90) == 64
    for name, value in _KIN.items():
        assert f"the WAL needs {value}" in verdict(clone).partition(f"{name} is ")[2]
    clone.start()
    _wait_paused(clone)


@pytest.mark.parametrize("action", ["promote", "shutdown"])
def test_a_prepared_transaction_is_recovered(
    walsup: Make, s3: S3Server, story: Story, action: str
) -> None:
    """Also where no sessions are let in, and postgres compares nothing beforehand."""
    clone = _clone(walsup, s3, story.prefix, story, action)
    if action == "shutdown":
        assert clone.wait(timeout_s=90) == 0
        clone.environment["WALSUP_RESTORE_TARGET_ACTION"] = "promote"
        clone.start()
    clone.wait_accepts(timeout_s=90)
    assert clone.psql(_PREPARED) == "left"


def test_a_standby_names_what_its_primary_has_raised(walsup: Make) -> None:
    """With both values; started again it has them."""
    one = walsup(env=LEASE).start()
    wait_protected(one)
    two = walsup(prefix=one.prefix, env=STANDBY).start()
    two.wait_accepts(timeout_s=90)
    assert one.stop() == 0
    one.args = _RAISED
    one.start()
    wait_protected(one)
    one.psql("create table t as select 1 n")
    one.psql("select pg_switch_wal()")
    fault = wait_fault(two, "replay", timeout_s=90)
    assert "max_connections is 100, the WAL needs 130" in fault["problem"]
    assert two.stop() == 0
    two.start()
    two.wait_for(
        lambda: two.accepts() and two.psql("select to_regclass('t')") == "t",
        "it follows",
        timeout_s=90,
    )
