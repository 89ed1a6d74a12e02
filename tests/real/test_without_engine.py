"""An image without an engine: the database runs, and everybody is told."""

from collections.abc import Callable

from dev.harness import Walsup
from dev.harness.checks.witness import status, wait_fault

Make = Callable[..., Walsup]


def test_an_engine_that_is_missing_is_said_in_the_same_words_everywhere(walsup: Make) -> None:
    """Log, /status, readiness and metric; WAL waits, archive_command fails without a 127."""
    one = walsup()
    one.environment["PATH"] = one.environment["PATH"].partition(":")[2]
    one.start()
    one.wait_accepts()
    fault = wait_fault(one, "gate")
    assert (fault["kind"], "PATH" in fault["remedy"]) == ("engine missing", True)
    # The agent may see a moment later than psql that connections are accepted.
    one.wait_for(lambda: one.http("/readyz")[0] == 200, "it is ready")
    assert any("engine missing" in reason for reason in one.http("/readyz")[1]["reasons"])
    assert 'walsup_fault{kind="engine missing",subject="gate"} 1.0' in one.http("/metrics")[1]
    assert [e["kind"] for e in one.events("fault.appeared") if e["subject"] == "gate"] == [
        "engine missing"
    ]
    one.psql("create table t (n int); select pg_switch_wal()")
    one.wait_for(lambda: status(one)["waiting"]["ready"] > 0, "WAL waits")
    assert one.psql("show archive_command") == "exit 1"
    assert one.stop() == 0
