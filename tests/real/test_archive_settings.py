"""The archive's settings hold against files, ALTER SYSTEM and odd directories (S7, S8, S9)."""

import os
import subprocess
from collections.abc import Callable

import pytest

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import segments, status, verdict, wait_no_lag, wait_protected
from dev.harness.processes.waiting import wait_until
from dev.harness.scenarios.standbys import archive_now

Make = Callable[..., Walsup]


@pytest.mark.rule("archive-settings")
def test_neither_files_nor_alter_system_can_shadow_them(walsup: Make, s3: S3Server) -> None:
    """The operator's values are displaced, logged once a start, and still in his files."""
    one = walsup().start()
    wait_protected(one)
    for name, value in (("archive_command", "/bin/true"), ("archive_mode", "off")):
        one.psql(f"alter system set {name} = '{value}'")
    with (one.pgdata / "postgresql.conf").open("a") as file:
        file.write("archive_timeout = 7min\nrestore_command = 'cp /x %p'\n")
    conf = (one.pgdata / "postgresql.conf").read_text()
    assert one.stop() == 0
    one.start()
    wait_protected(one)
    assert one.psql("show archive_mode") == "on"
    assert "wal-push" in one.psql("show archive_command")
    assert one.psql("show archive_command").endswith("|| exit 1")
    assert one.psql("show restore_command") == ""
    assert one.psql("show archive_timeout") == "7min"  # his own, kept
    displaced = {event["name"]: event["value"] for event in one.events("setting.displaced")}
    assert displaced == {
        "archive_command": "/bin/true",
        "archive_mode": "off",
        "restore_command": "cp /x %p",
    }
    assert (one.pgdata / "postgresql.conf").read_text() == conf
    one.psql("create table t (n int)")
    one.psql("select pg_switch_wal()")
    wait_no_lag(one)
    one.wait_for(lambda: len(segments(s3, one.prefix)) >= 3, "the switched segment is there")


@pytest.mark.rule("operators-files")
def test_what_is_too_low_is_raised_and_nothing_is_lowered(walsup: Make) -> None:
    """wal_level minimal and no walsenders would make archiving and backups impossible."""
    low = walsup(args=["-c", "wal_level=minimal", "-c", "max_wal_senders=0"]).start()
    wait_protected(low)
    assert low.psql("show wal_level") == "replica"
    assert low.psql("show max_wal_senders") == "10"
    high = walsup(
        args=["-c", "wal_level=logical", "-c", "max_wal_senders=30", "--max-connections=42"]
    ).start()
    wait_protected(high)
    assert high.psql("show wal_level") == "logical"
    assert high.psql("show max_wal_senders") == "30"
    assert high.psql("show max_connections") == "42"


@pytest.mark.rule("first-switch")
def test_archive_timeout_holds_from_the_start_on(walsup: Make, s3: S3Server) -> None:
    """PostgreSQL alone ignores it for almost 5 minutes after a start."""
    one = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "2s"}).start()
    wait_protected(one)
    assert one.stop() == 0
    one.start()
    wait_protected(one)
    before = segments(s3, one.prefix)
    one.psql("create table t (n int)")
    one.wait_for(lambda: segments(s3, one.prefix) != before, "the segment is archived in time")


@pytest.mark.parametrize("size_mb", [1, 64])
def test_other_segment_sizes(walsup: Make, s3: S3Server, size_mb: int) -> None:
    """--wal-segsize."""
    one = walsup(env={"POSTGRES_INITDB_ARGS": f"--wal-segsize={size_mb}"}).start()
    wait_protected(one)
    one.psql("create table t as select generate_series(1, 100000) n")
    archive_now(one)
    assert one.stop() == 0
    assert len(segments(s3, one.prefix)) >= 3


def test_pg_wal_on_another_volume(walsup: Make, s3: S3Server) -> None:
    """The link is followed by the archiver, the agent and the sweep."""
    one = walsup()
    one.environment["POSTGRES_INITDB_WALDIR"] = str(one.pgdata.parent / "wal volume")
    one.start()
    wait_protected(one)
    assert (one.pgdata / "pg_wal").is_symlink()
    assert one.stop() == 0
    assert len(segments(s3, one.prefix)) >= 2


@pytest.mark.parametrize("odd", ["a b", "it's", 'q"q', "100%", "dol$HOME", "ümläut"])
def test_odd_directories(walsup: Make, odd: str) -> None:
    """Quoting: the paths pass through postgresql's settings and a shell."""
    one = walsup()
    one.pgdata = one.pgdata.parent / odd / "data"
    run_dir = one.run_dir.parent / odd[:3]
    run_dir.parent.mkdir(exist_ok=True)
    one.run_dir = run_dir
    one.machine.give_to_database(one.run_dir.parent)
    one.environment |= {"PGDATA": str(one.pgdata), "WALSUP_RUN_DIR": str(run_dir)}
    one.start()
    wait_protected(one)
    assert one.stop() == 0


def _promote(one: Walsup) -> None:
    """Begin a new timeline outside of walsup."""
    signal_file = one.pgdata / "recovery.signal"
    signal_file.touch()
    one.machine.give_to_database(signal_file)
    refusing = {"restore_command": "false", "archive_mode": "on", "archive_command": "false"}
    address = one.tools.start(one.pgdata, port=int(one.environment["PGPORT"]), settings=refusing)

    def promoted() -> bool:
        return one.tools.psql(address, "select pg_is_in_recovery()") == "f"

    wait_until(promoted, "promoted")
    one.tools.stop(one.pgdata)


def _proven_on(one: Walsup, timeline: int) -> bool:
    seen = status(one)
    lag = seen["lag"]
    return bool(seen["database"]["timeline"] == timeline and lag["known"] and not lag["segments"])


def test_timelines_of_ten_and_more_with_history_and_partial_files(
    walsup: Make, s3: S3Server
) -> None:
    """Names are hexadecimal; .history and .partial files are archived like segments."""
    one = walsup(s3=None).start()
    one.wait_accepts()
    assert one.stop() == 0
    for _ in range(10):
        _promote(one)
    archived = walsup(prefix=one.prefix)
    archived.pgdata = one.pgdata
    archived.environment["PGDATA"] = str(one.pgdata)
    archived.start()
    seen = wait_protected(archived)
    assert seen["database"]["timeline"] == 11
    archived.psql("create table t (n int)")
    archive_now(archived)
    assert archived.stop() == 0
    names = segments(s3, archived.prefix)
    assert names[-1].startswith("0000000B")
    keys = " ".join(s3.keys(f"{archived.prefix}/wal_005/"))
    assert "0000000B.history" in keys
    assert ".partial" in keys
    # The next timeline begins in the middle of a segment, and the measuring goes on there.
    _promote(archived)
    archived.start()
    wait_protected(archived)
    archived.psql("insert into t values (1)")
    archived.psql("select pg_switch_wal()")
    archived.wait_for(lambda: _proven_on(archived, 12), "what is written on timeline 12 is proven")
    assert archived.stop() == 0
    assert "is in the bucket: yes" in verdict(archived)


def test_a_broken_rendering_would_be_seen(walsup: Make) -> None:
    """The client that archive_command names exists and is executable for the database's user."""
    one = walsup().start()
    wait_protected(one)
    program = one.psql("show archive_command").partition(" e=")[2].partition(";")[0]
    readable = ["runuser", "-u", one.machine.db_user, "--"] if os.geteuid() == 0 else []
    assert subprocess.run([*readable, "test", "-x", program], check=False).returncode == 0
