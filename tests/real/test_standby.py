"""Standbys: built from the archive or the primary, following, archiving nothing (S15, S17)."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev.harness import FaultProxy, S3Server, Walsup
from dev.harness.checks.witness import owner, status, verdict, wait_protected
from dev.harness.scenarios.standbys import (
    EAGER,
    LEASE,
    STANDBY,
    archive_now,
    conninfo,
    following,
    streaming,
    wait_rows,
    wait_source,
    written,
)

Make = Callable[..., Walsup]
Faults = Callable[[int], FaultProxy]


@pytest.fixture
def faults() -> Iterator[Faults]:
    """Makes proxies that fail, closed with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda port: stack.enter_context(FaultProxy(port))


def _primary(walsup: Make) -> Walsup:
    one = walsup(env=LEASE).start()
    wait_protected(one)
    return one


@pytest.mark.rule("standby-survives")
def test_a_standby_is_built_from_the_archive_and_follows_it(
    walsup: Make, s3: S3Server, faults: Faults
) -> None:
    """Without any connection to its primary; it writes nothing there, and a restart keeps it."""
    one = _primary(walsup)
    count = written(one)
    archive_now(one)
    proxy = faults(s3.port)
    two = walsup(prefix=one.prefix, endpoint=proxy.endpoint, env=STANDBY, args=EAGER).start()
    wait_rows(two, count)
    # Refused for a while: it serves on, is told why, and goes on afterwards.
    proxy.answer(403, "AccessDenied")
    two.wait_for(lambda: "archive" in status(two).get("faults", {}), "it is told")
    assert two.http("/readyz")[0] == 200
    proxy.pass_through()
    more = written(one, 10)
    archive_now(one)
    wait_rows(two, more)
    assert two.http("/readyz")[0] == 200
    two.wait_for(lambda: status(two).get("protected"), "it says so")
    seen = following(two)
    assert (seen["source"], status(two)["gate"]["state"]) == ("archive", "standby")
    two.wait_for(lambda: following(two)["behind_bytes"] == 0, "it is not behind")
    assert two.psql("select pg_is_in_recovery()") == "t"
    boot = json.loads((two.run_dir / "agent.json").read_text())["boot"]
    assert owner(s3, one.prefix)["boot"] != boot
    assert two.stop() == 0
    assert "a standby archives nothing" in verdict(two)
    last = written(one, 10)
    archive_now(one)
    two.start()
    wait_rows(two, last)
    assert not two.events("standby.built")
    # With the role of a primary it is none: a person has to say so.
    assert two.stop() == 0
    two.environment["WALSUP_ROLE"] = "primary"
    two.start()
    two.wait_accepts()
    two.wait_for(lambda: "walsup promote" in str(two.http("/readyz")), "it is not ready")


@pytest.mark.soak
@pytest.mark.rule("standby-survives")
def test_no_failure_of_the_archive_ends_a_standby(walsup: Make, s3: S3Server) -> None:
    """It streams on, serves on, and is told why the archive does not answer."""
    one = _primary(walsup)
    count = written(one)
    with FaultProxy(s3.port) as proxy:
        two = streaming(walsup, one, endpoint=proxy.endpoint)
        wait_rows(two, count)
        secret = "pg-secret-of-walsup-tests"
        pid = two.pid_of("postgres")
        assert secret not in Path(f"/proc/{pid}/cmdline").read_bytes().decode()
        assert secret not in Path(f"/proc/{pid}/environ").read_bytes().decode()
        for failing in (
            proxy.refuse,
            proxy.hang,
            lambda: proxy.answer(403, "AccessDenied"),
            lambda: proxy.answer(503, "SlowDown"),
        ):
            failing()
            two.wait_for(lambda: "bucket" in status(two).get("faults", {}), "it is told")
            # Without its primary it asks the archive again and again, and only that.
            one.psql("select pg_terminate_backend(pid) from pg_stat_replication")
            wait_source(two, "streaming")
            count = written(one, 5)
            wait_rows(two, count)
            assert two.http("/readyz")[0] == 200
            proxy.pass_through()
            two.wait_for(lambda: "bucket" not in status(two).get("faults", {}), "well again")
        assert secret not in two.log()
        assert two.stop() == 0


@pytest.mark.soak
@pytest.mark.rule("standby-survives")
def test_what_the_primary_no_longer_has_comes_from_the_archive(walsup: Make) -> None:
    """A standby that was away for long goes through the archive, and streams then."""
    one = _primary(walsup)
    written(one)
    archive_now(one)
    two = streaming(walsup, one)
    assert two.stop() == 0
    for _ in range(3):
        count = written(one, 5)
        archive_now(one)
    one.psql("checkpoint")
    two.start()
    wait_source(two, "streaming")
    wait_rows(two, count)


@pytest.mark.rule("standby-survives")
def test_without_an_archive_the_primary_itself_is_copied(walsup: Make) -> None:
    """pg_basebackup, with the WAL that it needs; tried again until the primary is there."""
    one = walsup(s3=None)
    two = walsup(
        s3=None,
        env={"WALSUP_ROLE": "standby", "WALSUP_PRIMARY_CONNINFO": conninfo(one)},
        args=EAGER,
    ).start()
    two.wait_for(lambda: "could not be copied" in two.state().get("detail", ""), "it waits")
    one.start()
    one.wait_accepts()
    count = written(one)
    wait_source(two, "streaming", timeout_s=90)
    wait_rows(two, count)
    assert two.http("/readyz")[0] == 200
    assert two.stop() == 0
