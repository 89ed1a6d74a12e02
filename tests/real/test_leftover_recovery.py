"""What another program's recovery has left, and what an engine says when it is ended."""

from collections.abc import Callable
from signal import SIGQUIT

from dev.harness import FaultProxy, S3Server, Walsup
from dev.harness.checks.witness import verdict, wait_protected

Make = Callable[..., Walsup]
COMMAND = "restore_command = 'cp /nowhere/%f %p'\n"


def test_a_leftover_recovery_is_named_and_nothing_is_started(walsup: Make) -> None:
    """recovery.signal with a restore_command in postgresql.auto.conf, as pgBackRest leaves them."""
    one = walsup().start()
    one.wait_accepts()
    one.psql("create table t (n int)")
    assert one.stop() == 0
    left = one.pgdata / "recovery.signal"
    left.touch()
    with (one.pgdata / "postgresql.auto.conf").open("a") as file:
        file.write(COMMAND)
    assert one.start().wait() == 65
    assert str(left) in verdict(one)
    assert "walsup ignores the configured restore_command" in verdict(one)
    assert "must specify restore_command" not in one.log()
    left.unlink()
    two_targets = one.pgdata / "postgresql.auto.conf"
    before = two_targets.read_text()
    two_targets.write_text(f"{before}recovery_target_xid = '7'\nrecovery_target_name = 'x'\n")
    assert one.start().wait() == 64
    assert "recovery_target_name, recovery_target_xid" in verdict(one)
    two_targets.write_text(before)
    one.start().wait_accepts()
    assert one.psql("select count(*) from t") == "0"
    assert one.stop() == 0


def test_an_engine_that_is_ended_does_not_fill_the_log(walsup: Make, s3: S3Server) -> None:
    """At an immediate shutdown postgres sends SIGQUIT to the client of a push that hangs."""
    with FaultProxy(s3.port) as proxy:
        one = walsup(endpoint=proxy.endpoint, env={"WALSUP_ARCHIVE_TIMEOUT": "60s"}).start()
        wait_protected(one)
        proxy.hang()
        one.psql("create table t (n int)")
        one.psql("select pg_switch_wal()")

        def pushes() -> bool:
            return any("wal-push" in member.argv for member in one.members())

        one.wait_for(pushes, "a push hangs")
        one.signal(SIGQUIT)
        one.wait()
        assert "goroutine " not in one.log()
        assert "stack backtrace" not in one.log()
