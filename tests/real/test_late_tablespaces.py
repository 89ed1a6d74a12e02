"""Tablespaces that were created after the base backup: no replay uses another's files."""

import json
import shutil
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from dev.harness import Machine, S3Server, Walsup
from dev.harness.checks.witness import (
    cli,
    owner,
    status,
    verdict,
    wait_fault,
    wait_no_lag,
    wait_protected,
)
from dev.harness.processes.layout import archive_environment, new_prefix
from dev.harness.processes.pod import Pod
from dev.harness.scenarios.clones import source_of
from dev.harness.scenarios.standbys import EAGER, LEASE, STANDBY, streaming

Make = Callable[..., Walsup]
_ROWS = "select count(*) from far"


def _late(one: Walsup) -> Path:
    """Create a tablespace with a table in it, after the base backup."""
    place = one.layout.volume / "late"
    place.mkdir(mode=0o700)
    one.machine.give_to_database(place)
    one.psql(f"create tablespace late location '{place}'")
    one.psql("create table far tablespace late as select n from generate_series(1, 5000) n")
    return place


def _of_an_older_walsup(s3: S3Server, prefix: str) -> str:
    """A copy of the archive that does not tell where tablespaces are; gives its prefix."""
    older = f"{prefix}-older"
    for key in s3.keys(f"{prefix}/"):
        s3.put(key.replace(prefix, older, 1), s3.get(key))
    fields = owner(s3, older)
    assert fields.pop("tablespaces")
    s3.put(f"{older}/walsup/owner.json", json.dumps(fields).encode())
    return older


def test_a_clone_never_replays_into_the_files_of_another_server(walsup: Make, s3: S3Server) -> None:
    """Refused beforehand; ended before it, at every start; then with a directory made."""
    source = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "2s"}).start()
    wait_protected(source)
    source.psql("create table near as select 1 n")
    before = source.psql("select clock_timestamp()")
    source.psql("insert into near values (2)")
    place = _late(source)
    wait_no_lag(source)
    source.wait_for(lambda: owner(s3, source.prefix)["tablespaces"], "the owner tells where")

    refused = walsup(s3=None, env=source_of(s3, source.prefix))
    checked = cli(refused, "restore", "--check")
    assert checked.returncode == 74
    assert f"in {place}: " in checked.stderr
    assert refused.start().wait(timeout_s=60) == 74
    assert f"in {place}: " in verdict(refused)

    clone = walsup(s3=None, env=source_of(s3, _of_an_older_walsup(s3, source.prefix)))
    read = cli(clone, "restore", "--check", "--deep")
    assert read.returncode == 74
    assert f"in {place}: " in read.stderr
    for _ in range(2):
        clone.start()
        assert clone.wait(timeout_s=90) == 65
        assert f"in {place}, cannot be replayed here" in verdict(clone)
        assert list((clone.pgdata / "pg_tblspc").iterdir()) == []
    source.psql("vacuum full far")
    assert source.psql(_ROWS) == "5000"

    lsn = verdict(clone).partition("WALSUP_RESTORE_TARGET_LSN=")[2].split()[0]
    for wanted in (
        {"WALSUP_RESTORE_TARGET_LSN": lsn, "WALSUP_RESTORE_TARGET_INCLUSIVE": "off"},
        {"WALSUP_RESTORE_TARGET_TIME": before},
    ):
        earlier = walsup(s3=None, env=source_of(s3, source.prefix) | wanted).start()
        earlier.wait_accepts(timeout_s=90)
        assert earlier.psql("select to_regclass('far')") == ""
        earlier.close()

    assert source.stop() == 0
    shutil.move(place, place.with_name("moved"))
    clone.start()
    clone.wait_accepts(timeout_s=90)
    assert clone.psql(_ROWS) == "5000"
    assert clone.stop() == 0


def _wait_table(standby: Walsup, name: str) -> None:
    standby.wait_for(
        lambda: standby.accepts() and standby.psql(f"select to_regclass('{name}')") == name,
        "it follows",
        timeout_s=90,
    )


@pytest.mark.parametrize("streams", [True, False])
def test_a_standby_on_its_primarys_host_ends_before_it_shares_a_tablespace(
    walsup: Make, *, streams: bool
) -> None:
    """Whether the record comes by the stream or out of the archive; the primary never notices."""
    one = walsup(env=LEASE).start()
    wait_protected(one)
    one.psql("create table near as select 1 n")
    one.psql("select pg_switch_wal()")
    if streams:
        two = streaming(walsup, one)
    else:
        two = walsup(prefix=one.prefix, env=STANDBY, args=EAGER).start()
    _wait_table(two, "near")
    place = _late(one)
    one.psql("select pg_switch_wal()")
    assert two.wait(timeout_s=90) == 65
    assert str(place) in verdict(two)
    one.psql("vacuum full far")
    one.psql("checkpoint")
    assert one.psql(_ROWS) == "5000"
    assert list((two.pgdata / "pg_tblspc").iterdir()) == []
    two.start()
    assert two.wait(timeout_s=90) == 65
    assert one.psql(_ROWS) == "5000"
    assert "tablespaces" not in status(one)["faults"]


def test_replay_goes_on_where_nobody_holds_a_new_tablespace(walsup: Make) -> None:
    """As on another host; here the primary's agent is asleep, and says afterwards what it finds."""
    one = walsup(env=LEASE).start()
    wait_protected(one)
    one.psql("create table near as select 1 n")
    two = streaming(walsup, one)
    one.kill("agent", signal.SIGSTOP)
    place = _late(one)
    one.psql("create table later as select 1 n")
    _wait_table(two, "later")
    two.wait_for(lambda: two.psql("select pg_is_wal_replay_paused()") == "f", "replay goes on")
    fault = wait_fault(one, "tablespaces", timeout_s=90)
    assert str(place) in fault["problem"]
    assert two.stop() == 0
    one.wait_for(lambda: "tablespaces" not in status(one)["faults"], "it is alone again")


_UNTIL_PAUSED = """
do $$ begin
  while not pg_is_wal_replay_paused() loop perform pg_sleep(0.005); end loop;
end $$
"""


def test_replay_goes_on_when_the_agent_dies_while_it_checks_a_tablespace(walsup: Make) -> None:
    """The restarted agent resumes what walsup paused; a pause by hand stays, whatever dies."""
    one = walsup(env=LEASE).start()
    wait_protected(one)
    one.psql("create table near as select 1 n")
    two = streaming(walsup, one)
    _wait_table(two, "near")
    one.kill("agent", signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        paused = pool.submit(two.psql, _UNTIL_PAUSED)
        _late(one)
        paused.result()
        died = two.kill("agent")
    one.psql("create table later as select 1 n")
    _wait_table(two, "later")
    two.wait_for(lambda: two.psql("select pg_is_wal_replay_paused()") == "f", "replay goes on")

    two.wait_for(
        lambda: two.state().get("agent_pid") not in ("", "0", str(died)), "its agent is back"
    )
    two.psql("select pg_wal_replay_pause()")
    two.kill("agent")
    fault = wait_fault(two, "replay", timeout_s=90)
    assert "pg_wal_replay_resume()" in fault["remedy"]
    assert two.psql("select pg_is_wal_replay_paused()") == "t"
    assert two.stop() == 0


def test_a_tablespace_in_the_containers_own_file_system_is_shown(
    pod: Callable[..., Pod], walsup: Make, machine: Machine, s3: S3Server
) -> None:
    """While the database runs, and to a check of a restore on another machine."""
    prefix = new_prefix()
    env = {"PGDATA": "/pv/data", "POSTGRES_PASSWORD": "x", "WALSUP_ARCHIVE_TIMEOUT": "2s"}
    one = pod(env=env | archive_environment(s3, prefix, None), volume="/pv", s3=s3)
    wait_protected(one.start(), timeout_s=90)
    place = f"/var/tmp/late-of-{prefix}"
    there = Path(f"/proc/{one.init_pid}/root{place}")
    there.mkdir(mode=0o700)
    machine.give_to_database(there)
    assert "tablespaces" not in status(one)["attention"]
    one.psql(f"create tablespace late location '{place}'")
    said = one.wait_for(lambda: status(one)["attention"].get("tablespaces"), "it is shown")
    assert f"tablespaces in {place} are in the container's own file system" in said["problem"]
    assert f"move what is in {place} to a volume" in said["remedy"]
    one.wait_for(lambda: owner(s3, prefix)["tablespaces"], "the owner tells where")

    with TemporaryDirectory(dir="/dev/shm") as volume:
        data = {"PGDATA": volume}
        checked = cli(walsup(s3=None, env=source_of(s3, prefix) | data), "restore", "--check")
    told = checked.stdout + checked.stderr
    assert f"a tablespace would be in {place}, on the container's own file system" in told
    one.psql("drop tablespace late")
    one.wait_for(lambda: "tablespaces" not in status(one)["attention"], "it is gone")
