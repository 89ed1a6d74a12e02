"""Names in a row are not a chain: what happened between two runs decides about the old backup."""

from collections.abc import Callable
from signal import SIGSTOP

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import (
    cli,
    owner,
    sentinels,
    status,
    verdict,
    wait_fault,
    wait_no_lag,
    wait_protected,
)
from dev.harness.processes.ports import free_ports
from dev.harness.scenarios.restore_by_hand import restored

Make = Callable[..., Walsup]
SOON = {"WALSUP_ARCHIVE_TIMEOUT": "2s"}
KEY, OTHER_KEY = "6b" * 32, "7c" * 32


def _by_hand(one: Walsup, **settings: str) -> None:
    """Start the data directory by hand, write, and shut it down."""
    address = one.tools.start(one.pgdata, port=free_ports(1)[0], settings=settings)
    one.tools.psql(address, "create table if not exists by_hand (n int)")
    one.tools.psql(address, "insert into by_hand select generate_series(1, 1000)")
    one.tools.stop(one.pgdata)


def _why(one: Walsup) -> list[str]:
    """What this start has found broken."""
    return [event["problem"] for event in one.events("archive.not_continued")]


def _started(one: Walsup, s3: S3Server, *, backups: int) -> str:
    """Start it, wait until it is protected by so many base backups; gives why a new one."""
    one.start()
    wait_protected(one)
    assert len(sentinels(s3, one.prefix)) == backups, _why(one)
    return "\n".join(_why(one))


def test_names_in_a_row_are_not_a_chain_a_server_started_by_hand(
    walsup: Make, s3: S3Server
) -> None:
    """Between two clean runs, and after a crash; without it neither demands a base backup."""
    one = walsup(env=SOON)
    assert not _started(one, s3, backups=1)
    one.psql("create table t as select generate_series(1, 1000) n")
    assert one.stop() == 0
    assert not _started(one, s3, backups=1)
    one.kill_tree()
    assert not _started(one, s3, backups=1)
    assert one.stop() == 0
    _by_hand(one, wal_level="minimal", max_wal_senders="0", archive_mode="off")
    why = _started(one, s3, backups=2)
    assert "the data directory was changed between two runs" in why
    assert owner(s3, one.prefix)["backups_because"] in why
    shown = [event for event in one.events("fault.appeared") if event["subject"] == "continuity"]
    assert shown
    assert "continuity" not in status(one)["faults"]
    one.kill_tree()
    _by_hand(one, archive_mode="on", archive_command="/bin/true")
    one.environment["WALSUP_INITIAL_BACKUP"] = "0"
    one.start()
    fault = wait_fault(one, "continuity")
    assert "a server that was started by hand" in fault["problem"]
    assert not status(one)["protected"]
    one.psql("create table behind as select 1 as n; select pg_switch_wal()")
    wait_no_lag(one)
    checked = cli(one, "restore", "--check")
    assert checked.returncode != 0
    assert "WALSUP_RESTORE_ACCEPT_HOLE" in checked.stdout + checked.stderr
    assert one.stop() == 0
    assert "is in the bucket: no" in verdict(one)
    one.environment["WALSUP_INITIAL_BACKUP"] = "1"
    assert not _started(one, s3, backups=3)
    one.psql("checkpoint")
    assert one.stop() == 0
    assert "is in the bucket: yes" in verdict(one)
    assert not _started(one, s3, backups=3)


def test_names_in_a_row_are_not_a_chain_an_end_that_only_pid_1_saw(
    walsup: Make, s3: S3Server
) -> None:
    """The agent hangs over a whole stop: no base backup for that, but for a start by hand."""
    one = walsup(env=SOON | {"WALSUP_STOP_GRACE": "10s"})
    assert not _started(one, s3, backups=1)
    one.psql("create table t as select 1 as n")
    one.kill("agent", SIGSTOP)
    one.stop()
    assert not _started(one, s3, backups=1)
    one.kill("agent", SIGSTOP)
    one.stop()
    _by_hand(one, archive_mode="on", archive_command="/bin/true")
    assert "a server that was started by hand" in _started(one, s3, backups=2)


def test_names_in_a_row_are_not_a_chain_another_key_or_none(walsup: Make, s3: S3Server) -> None:
    """A key that is first set, changed, or replaced in its file while it runs; not one moved."""
    one = walsup(env=SOON)
    assert not _started(one, s3, backups=1)
    assert one.stop() == 0
    one.environment |= {"WALG_LIBSODIUM_KEY": KEY, "WALG_LIBSODIUM_KEY_TRANSFORM": "hex"}
    assert "not encrypted" in _started(one, s3, backups=2)
    assert owner(s3, one.prefix)["encryption"].startswith("libsodium:")
    assert KEY not in s3.get(f"{one.prefix}/walsup/owner.json").decode()
    assert one.stop() == 0
    assert "is in the bucket: yes" in verdict(one)
    path = one.layout.base / "libsodium"
    path.write_text(one.environment.pop("WALG_LIBSODIUM_KEY") + "\n")
    path.chmod(0o644)
    one.environment["WALG_LIBSODIUM_KEY_PATH"] = str(path)
    assert not _started(one, s3, backups=2)
    path.write_text(OTHER_KEY)
    one.wait_event("archive.not_continued")
    one.wait_for(lambda: len(sentinels(s3, one.prefix)) == 3, "a base backup with the other key")
    wait_protected(one)
    one.psql("create table t as select 1 as n")
    assert one.stop() == 0
    assert "is in the bucket: yes" in verdict(one)
    assert restored(one, one.engine, one.pgdata.parent / "restored", "select n from t") == "1"


def test_names_in_a_row_are_not_a_chain_other_tampering(walsup: Make, s3: S3Server) -> None:
    """pg_resetwal, single-user mode, a note that was removed, and an older pg_control."""
    one = walsup(env=SOON)
    assert not _started(one, s3, backups=1)
    assert one.stop() == 0
    one.tools.run("pg_resetwal", "-D", str(one.pgdata))
    assert "changed between two runs" in _started(one, s3, backups=2)
    one.kill_tree()
    one.tools.run("postgres", "--single", "-D", str(one.pgdata), "postgres", said="vacuum\n")
    assert "a server that was started by hand" in _started(one, s3, backups=3)
    assert one.stop() == 0
    (one.pgdata / ".walsup-continuity").unlink()
    assert not _started(one, s3, backups=3)
    assert one.stop() == 0
    (one.pgdata / ".walsup-continuity").unlink()
    _by_hand(one, archive_mode="off")
    assert "no note of the previous run" in _started(one, s3, backups=4)
    assert one.stop() == 0
    control = one.pgdata / "global" / "pg_control"
    older = control.read_bytes()
    assert not _started(one, s3, backups=4)
    one.psql("create table t as select 1 as n")
    assert one.stop() == 0
    control.write_bytes(older)
    one.start()
    assert wait_fault(one, "gate")["kind"] == "bucket ahead"
