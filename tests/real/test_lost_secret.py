"""A secret file that goes away while the database runs: told, and survived by the agent."""

from collections.abc import Callable

import pytest

from dev.harness import Walsup
from dev.harness.checks.witness import status, wait_fault, wait_no_lag, wait_protected

Make = Callable[..., Walsup]


@pytest.mark.rule("secrets")
def test_a_lost_secret_file_is_a_fault_and_no_end_of_the_agent(walsup: Make) -> None:
    """The old credentials are used; an agent that dies meanwhile answers and waits for the file."""
    one = walsup(env={"WALSUP_LEASE": "2s", "WALSUP_ARCHIVE_TIMEOUT": "2s"})
    file = one.pgdata.parent / "secret"
    secret = one.environment.pop("AWS_SECRET_ACCESS_KEY")
    file.write_text(secret)
    one.environment["AWS_SECRET_ACCESS_KEY_FILE"] = str(file)
    one.start()
    wait_protected(one)
    file.unlink()
    fault = wait_fault(one, "secrets", timeout_s=60)
    assert str(file) in fault["problem"]
    assert status(one)["gate"]["state"] == "open"
    one.kill("agent")
    one.wait_event("engine.lease_over")
    fault = wait_fault(one, "secrets")
    assert str(file) in fault["problem"]
    assert one.http("/livez")[0] == 200
    assert one.http("/readyz")[0] == 200
    assert one.state()["agent_restarts"] == "1"
    one.psql("create table t (n int)")
    file.write_text(secret)
    wait_protected(one)
    wait_no_lag(one)
    assert one.state()["agent_restarts"] == "1"
    assert one.stop() == 0
