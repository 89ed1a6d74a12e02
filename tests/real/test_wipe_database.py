"""Wiping beside a database (rule wipe): one that runs, was killed, was started during it, stopped.

All tests share a data directory; each has an archive of its own.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from dev.harness import Machine, S3Server, Walsup
from dev.harness.checks.witness import cli, owner, status, wait_fault, wait_protected
from dev.harness.processes.layout import archive_environment, new_prefix
from dev.harness.scenarios.wiping import OWNER, Laid
from walsup.archive.owner_record import Owner


@pytest.fixture(scope="module")
def directory(machine: Machine, engine: str) -> Iterator[Walsup]:
    """A database without an archive, stopped."""
    short = {"WALSUP_LEASE": "1s", "WALSUP_ARCHIVE_TIMEOUT": "2s"}
    with Walsup(machine, engine=engine, env=short) as one:
        one.start()
        one.wait_accepts()
        assert one.stop() == 0
        yield one


@pytest.fixture
def one(directory: Walsup, s3: S3Server) -> Iterator[Walsup]:
    """The database, protected in a new archive."""
    directory.s3, directory.prefix = s3, new_prefix()
    directory.environment |= archive_environment(s3, directory.prefix, None)
    directory.start()
    wait_protected(directory)
    yield directory
    directory.kill_tree()


@pytest.fixture
def neighbours(one: Walsup, s3: S3Server) -> Iterator[None]:
    """Archives beside it in the bucket, which are there afterwards as they were."""
    laid = Laid(s3, one.prefix)
    before = laid.neighbours()
    yield
    assert laid.are_there(before)


def _start_during_a_wipe(one: Walsup, s3: S3Server) -> None:
    """Kill it, and start it while its archive is being wiped."""
    one.kill_tree()
    key = f"{one.prefix}/{OWNER}"
    found = Owner.from_json(s3.get(key))
    s3.put(key, replace(found, state="wiping", boot="a-wipe").signed().to_json())
    one.start()
    one.wait_accepts()
    assert "being wiped" in wait_fault(one, "gate")["problem"]


@pytest.mark.rule("wipe")
def test_a_wipe_is_refused_while_the_database_runs(one: Walsup, s3: S3Server) -> None:
    """The owner object is renewed: nothing is deleted, and the database stays protected."""
    before = set(s3.keys(f"{one.prefix}/"))
    assert "active, or killed" in cli(one, "wipe").stdout
    refused = cli(one, "wipe", "--confirm", one.prefix)
    assert refused.returncode == 74, refused.stdout
    assert "is alive on it" in refused.stderr
    assert status(one)["protected"]
    assert before <= set(s3.keys(f"{one.prefix}/"))


@pytest.mark.rule("wipe")
def test_a_database_that_is_started_during_a_wipe_writes_nothing(one: Walsup, s3: S3Server) -> None:
    """It runs with archiving disabled; neither a restore nor an adoption is possible."""
    _start_during_a_wipe(one, s3)
    before = s3.objects(f"{one.prefix}/")
    checked = cli(one, "restore", "--check")
    assert checked.returncode != 0
    assert "being wiped" in checked.stdout + checked.stderr
    assert "being wiped" in cli(one, "adopt", "--yes").stderr
    one.psql("create table t (n int); select pg_switch_wal()")
    one.wait_for(lambda: "archive command failed" in one.log(), "WAL waits")
    assert s3.objects(f"{one.prefix}/") == before


@pytest.mark.rule("wipe")
@pytest.mark.usefixtures("neighbours")
def test_a_killed_databases_archive_is_wiped_after_its_lease(one: Walsup, s3: S3Server) -> None:
    """Whether it is dead is known only when the owner object stays unchanged."""
    one.kill_tree()
    done = cli(one, "wipe", "--confirm", one.prefix)
    assert done.returncode == 0, done.stderr
    assert "waiting" in done.stderr
    assert s3.keys(f"{one.prefix}/") == []


@pytest.mark.rule("wipe")
@pytest.mark.usefixtures("neighbours")
def test_a_database_whose_archive_was_wiped_begins_a_new_one_only_when_told(
    one: Walsup, s3: S3Server
) -> None:
    """It remembers that it has owned the archive: an empty one is no new one by itself."""
    _start_during_a_wipe(one, s3)
    done = cli(one, "wipe", "--confirm", one.prefix)
    assert done.returncode == 0, done.stderr
    one.wait_for(
        lambda: status(one)["faults"].get("gate", {}).get("kind") == "owner removed", "it sees it"
    )
    assert one.accepts()
    assert s3.keys(f"{one.prefix}/") == []
    assert cli(one, "adopt", "--yes").returncode == 0
    wait_protected(one)


@pytest.mark.rule("wipe")
@pytest.mark.usefixtures("neighbours")
def test_a_stopped_databases_archive_is_wiped_at_once(one: Walsup, s3: S3Server) -> None:
    """The owner object says that nothing holds it: there is no lease to wait for."""
    assert one.stop() == 0
    assert owner(s3, one.prefix)["state"] == "stopped"
    done = cli(one, "wipe", "--confirm", one.prefix)
    assert (done.returncode, done.stderr) == (0, "")
    assert s3.keys(f"{one.prefix}/") == []
