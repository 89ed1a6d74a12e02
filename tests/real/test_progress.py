"""Green needs progress: what of the primary hangs or is exhausted is seen, idle or not.

All tests share a database, and leave it well.
"""

import os
from collections.abc import Iterator
from signal import SIGCONT, SIGSTOP
from typing import Any

import pytest

from dev.harness import Machine, S3Server, Walsup
from dev.harness.checks.progress import process, wait_ready, wait_well
from dev.harness.checks.witness import status, wait_fault, wait_protected
from dev.harness.scenarios.standbys import LEASE

_CONNECTIONS = 12
# A session whose client was killed ends within a second.
_CROWDED = (
    *("-c", f"max_connections={_CONNECTIONS}"),
    *("-c", "client_connection_check_interval=1s"),
)


@pytest.fixture(scope="module")
def database(machine: Machine, engine: str, s3: S3Server) -> Iterator[Walsup]:
    """A database with few connections."""
    with Walsup(machine, engine=engine, s3=s3, env=LEASE, args=_CROWDED) as one:
        yield one.start()


@pytest.fixture
def one(database: Walsup) -> Walsup:
    """The database, protected."""
    wait_protected(database)
    return database


def test_each_part_of_the_status_has_the_time_of_its_observation(one: Walsup) -> None:
    """So that a reader sees what is old."""
    seen = status(one)
    assert 0 <= seen["now"] - seen["at"] < 60
    assert all(seen[part]["at"] for part in ("init", "database", "lag", "disk", "waiting"))


def test_readiness_opens_a_connection(one: Walsup) -> None:
    """A postmaster that hangs serves the sessions that it has, and no new one."""
    postmaster = one.pid_of("postgres")
    os.kill(postmaster, SIGSTOP)
    try:
        assert "has not answered a new connection" in wait_ready(one, ready=False)[0]
        assert "has not answered" in " ".join(status(one)["reasons"])
    finally:
        os.kill(postmaster, SIGCONT)
    wait_ready(one)


def test_a_stopped_helper_process_is_a_fault_and_the_database_stays_ready(one: Walsup) -> None:
    """The checkpointer works on nothing; clients are served all the same."""
    helper = process(one, "checkpointer")
    os.kill(helper, SIGSTOP)
    try:
        assert "checkpointer" in wait_fault(one, "processes")["problem"]
        assert one.http("/readyz")[0] == 200
    finally:
        os.kill(helper, SIGCONT)
    wait_well(one, "processes")


def test_a_full_connection_table_is_an_answer(one: Walsup) -> None:
    """The database is ready, and the reasons say that all slots are taken."""
    crowd = [one.tools.session(one.address) for _ in range(_CONNECTIONS)]
    try:
        reasons = one.wait_for(
            lambda: [r for r in one.http("/readyz")[1]["reasons"] if "slots" in r], "it is full"
        )
        assert (one.http("/readyz")[0], len(reasons)) == (200, 1)
    finally:
        for each in crowd:
            each.kill()
            each.wait()
    one.wait_for(lambda: not status(one)["connection"]["full"], "it has room")


def test_the_archives_part_of_the_status_ages_while_the_bucket_hangs(
    one: Walsup, s3: S3Server
) -> None:
    """The database's part does not: an old observation is not green."""
    s3.pause()
    try:
        one.wait_for(lambda: _age(one, "lag") > 10, "the listing is old", timeout_s=40)
        assert _age(one, "database") < 10
        seen = status(one)
        assert seen["now"] - seen["at"] > 10
    finally:
        s3.resume()
    wait_protected(one)


def _age(one: Walsup, part: str) -> float:
    seen: dict[str, Any] = status(one)
    return float(seen["now"] - seen[part]["at"])
