"""A `.ready` made by hand, of a timeline that this cluster has never been on."""

from collections.abc import Callable
from pathlib import Path

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import (
    cli,
    status,
    verdict,
    wait_fault,
    wait_no_lag,
    wait_protected,
)

Make = Callable[..., Walsup]


def _make(one: Walsup, name: str, content: bytes) -> None:
    for path in (one.pgdata / "pg_wal" / name, _ready(one, name)):
        path.write_bytes(content if path.name == name else b"")
        one.machine.give_to_database(path)


def _ready(one: Walsup, name: str) -> Path:
    return one.pgdata / "pg_wal" / "archive_status" / f"{name}.ready"


def test_a_ready_file_of_another_timeline_is_not_pushed(walsup: Make, s3: S3Server) -> None:
    """It is named with what to do; this cluster's own WAL is archived all the time."""
    env = {"WALSUP_ARCHIVE_TIMEOUT": "2s", "WALSUP_LEASE": "2s"}
    one = walsup(env=env, args=["-c", "wal_keep_size=256MB"]).start()
    wait_protected(one)
    one.psql("create table t (n int)")
    wait_no_lag(one)
    kept = next(path for path in (one.pgdata / "pg_wal").glob("00000001????????????????"))
    foreign = ["00000007.history", f"00000007{kept.name[8:]}"]
    _make(one, foreign[0], b"1\t0/2000000\tby hand\n")
    _make(one, foreign[1], kept.read_bytes())
    fault = wait_fault(one, "ready")
    assert (fault["kind"], foreign[0] in fault["problem"]) == ("foreign timeline", True)
    assert str(_ready(one, foreign[0])) in fault["remedy"]
    for number in range(3):
        one.psql(f"insert into t values ({number})")
        one.psql("select pg_switch_wal()")
        wait_no_lag(one)
    wait_no_lag(one)
    assert one.stop() == 0
    assert "is in the bucket: yes" in verdict(one)
    assert not any("/00000007" in key for key in s3.keys(f"{one.prefix}/wal_005/"))
    assert all(_ready(one, name).exists() for name in foreign)
    one.start()
    wait_fault(one, "ready")
    assert not status(one)["protected"]
    for name in foreign:
        _ready(one, name).unlink()
    wait_protected(one)
    one.psql("insert into t values (9)")
    wait_no_lag(one)
    assert not any("/00000007" in key for key in s3.keys(f"{one.prefix}/wal_005/"))
    assert cli(one, "restore", "--check").returncode == 0
