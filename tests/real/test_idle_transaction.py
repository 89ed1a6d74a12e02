"""A transaction that is open and does nothing costs no segments, and loses nothing."""

import subprocess
from collections.abc import Callable
from typing import Any

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import segments, status, wait_no_lag, wait_protected
from walsup.postgres.wal import Segment, parse_lsn
from walsup.postgres.wal_files.transactions import only_upkeep

Make = Callable[..., Walsup]
# walsup switches 5 s after archive_timeout when PostgreSQL does not.
TURNS = 3


class Session:
    """A psql whose statements are given one by one."""

    def __init__(self, one: Walsup) -> None:
        address = one.address
        argv = [str(one.tools.bindir / "psql"), "-X", "-At", "-q", "-U", "postgres"]
        self._process = subprocess.Popen(
            [*argv, "-h", str(address.socket_dir), "-p", str(address.port), "postgres"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def do(self, statement: str) -> str:
        """The first line of its answer."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(statement + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        """End it."""
        self._process.communicate("\\q\n")


def test_h_an_idle_open_transaction_makes_no_segments(walsup: Make, s3: S3Server) -> None:
    """While it does nothing everything is archived; its commit is archived when it comes."""
    one = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "1s"}).start()
    wait_protected(one)
    one.psql("create table t (n int)")
    session = Session(one)
    try:
        session.do("begin; insert into t values (1); select 1;")
        # Only behind a later transaction that has ended does a snapshot show an open one.
        one.psql("insert into t values (2)")
        wait_no_lag(one)
        before = one.events("segment.switched")
        # PostgreSQL's own switch follows it, and a snapshot for standbys up to 15 s later: that is
        # of no transaction, and PostgreSQL does not switch for it.
        one.psql("checkpoint")
        for _ in range(TURNS):
            _let_a_switch_be_due(one)
            one.wait_for(lambda: status(one)["lag"]["idle"], "nothing is to be archived")
        assert one.events("segment.switched") == before
        count = len(segments(s3, one.prefix))
        session.do("commit; select 1;")
        end_lsn = parse_lsn(one.psql("select pg_current_wal_lsn()"))
        one.wait_for(
            lambda: parse_lsn(status(one)["lag"]["proven_lsn"]) >= end_lsn, "the commit is archived"
        )
        assert len(segments(s3, one.prefix)) > count
    finally:
        session.close()


def _let_a_switch_be_due(one: Walsup) -> None:
    """Wait for the next listing of an idle archive: they are 15 s apart."""
    before = status(one)["lag"]["at"]
    one.wait_for(lambda: status(one)["lag"]["at"] > before + 5, "it is listed", timeout_s=60)


def test_h_records_of_transactions_are_told_from_others(walsup: Make) -> None:
    """In PostgreSQL's own segments, at every record that pg_waldump shows."""
    one = walsup(s3=None, env={"POSTGRES_INITDB_ARGS": "--wal-segsize=1"}).start()
    one.wait_accepts()
    one.psql("create table t (n int, s text)")
    one.psql("select pg_switch_wal()")
    one.psql("checkpoint")
    name = one.psql("select pg_walfile_name(pg_current_wal_lsn())")
    one.psql("vacuum (freeze) pg_type")  # some pages of records without an xid
    one.psql("checkpoint")
    quiet_lsn = parse_lsn(one.psql("select pg_current_wal_lsn()"))
    one.psql("insert into t select n, repeat('y', 900) from generate_series(1, 40) n")
    end_lsn = parse_lsn(one.psql("select pg_current_wal_lsn()"))
    data = (one.pgdata / "pg_wal" / name).read_bytes()
    start_lsn = Segment.parse(name, 1 << 20).start_lsn
    assert only_upkeep(data, start_lsn, quiet_lsn, 1)
    assert not only_upkeep(data, start_lsn, end_lsn, 1)
    assert not only_upkeep(data, start_lsn, quiet_lsn, 2)
    assert not only_upkeep(data, start_lsn + (1 << 20), quiet_lsn + (1 << 20), 1)
    assert not only_upkeep(data[:4096], start_lsn, quiet_lsn, 1)
    argv = [str(one.tools.bindir / "pg_waldump"), str(one.pgdata / "pg_wal" / name)]
    dumped = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    first = next(
        line for line in dumped.splitlines() if " tx: " in line and "tx:          0" not in line
    )
    lsn = parse_lsn(first.partition("lsn: ")[2].partition(",")[0])
    assert only_upkeep(data, start_lsn, lsn, 1)
    assert not only_upkeep(data, start_lsn, lsn + 8, 1)


def test_h_what_has_no_xid_and_is_missed_is_told_from_upkeep(walsup: Make) -> None:
    """The end of a prepared transaction, a restore point and a message that no transaction has."""
    environment = {"POSTGRES_INITDB_ARGS": "--wal-segsize=1"}
    one = walsup(s3=None, env=environment, args=["-c", "max_prepared_transactions=9"]).start()
    one.wait_accepts()
    one.psql("create table t (n int)")
    for number, statement in enumerate(
        (
            "commit prepared 'x'",
            "rollback prepared 'x'",
            "select pg_create_restore_point('before the release')",
            "select pg_logical_emit_message(false, 'orders', '42')",
        )
    ):
        if "prepared" in statement:
            one.psql(f"begin; insert into t values ({number}); prepare transaction 'x'")
        one.psql("select pg_switch_wal()")
        one.psql("checkpoint")
        name = one.psql("select pg_walfile_name(pg_current_wal_lsn())")
        start_lsn = Segment.parse(name, 1 << 20).start_lsn
        before_lsn = parse_lsn(one.psql("select pg_current_wal_lsn()"))
        one.psql(statement)
        after_lsn = parse_lsn(one.psql("select pg_current_wal_insert_lsn()"))
        one.psql("checkpoint")  # a message waits for no write to the disk
        data = (one.pgdata / "pg_wal" / name).read_bytes()
        assert only_upkeep(data, start_lsn, before_lsn, 1)
        assert not only_upkeep(data, start_lsn, after_lsn, 1), statement


def test_e_a_prepared_transaction_that_is_committed_is_not_idle(walsup: Make, s3: S3Server) -> None:
    """Its commit alone in a segment is to be archived, for as long as the segment is not."""
    arguments = ["-c", "max_prepared_transactions=5"]
    one = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "120s"}, args=arguments).start()
    wait_protected(one)
    one.psql("create table t (n int)")
    one.psql("begin; insert into t values (42); prepare transaction 'x'")
    one.psql("select pg_switch_wal()")
    wait_no_lag(one)
    one.psql("commit prepared 'x'")
    name = one.psql("select pg_walfile_name(pg_current_wal_insert_lsn())")
    end_lsn = parse_lsn(one.psql("select pg_current_wal_insert_lsn()"))

    def measured() -> dict[str, Any] | None:
        lag = status(one)["lag"]
        return lag if parse_lsn(lag["current_lsn"]) >= end_lsn else None

    one.wait_for(measured, "lag is measured after the commit", timeout_s=60)
    _let_a_switch_be_due(one)  # it is measured again, and the WAL is looked into
    lag = status(one)["lag"]
    assert not lag["idle"] or name in segments(s3, one.prefix)
