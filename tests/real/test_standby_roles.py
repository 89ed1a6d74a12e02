"""Who is the primary is what the archive's owner object says: never two writers (S19)."""

import contextlib
import gzip
import os
from collections.abc import Callable
from signal import SIGCONT, SIGKILL, SIGSTOP

import pytest

from dev.harness import FaultProxy, S3Server, Walsup
from dev.harness.checks.witness import cli, owner, sentinels, status, wait_protected
from dev.harness.scenarios.standbys import (
    EAGER,
    archive_now,
    rows,
    wait_primary,
    wait_rows,
    wait_source,
    written,
)

Make = Callable[..., Walsup]

AUTO = {
    "WALSUP_ROLE": "auto",
    "WALSUP_LEASE": "1s",
    "WALSUP_ARCHIVE_TIMEOUT": "2s",
    "WALSUP_REPLICATION_PASSWORD": "mirror",
}
READ_ONLY = "select pg_is_in_recovery()"


def _pods(walsup: Make, endpoint: str | None = None) -> tuple[Walsup, Walsup]:
    """Two pods of one StatefulSet; `endpoint`: where the first one finds the archive."""
    zero = walsup(env=AUTO | {"HOSTNAME": "db-0"}, args=EAGER, endpoint=endpoint)
    one = walsup(env=AUTO | {"HOSTNAME": "db-1"}, args=EAGER, prefix=zero.prefix)
    ports = f"{zero.layout.pg_port},{one.layout.pg_port}"
    for pod in (zero, one):
        pod.environment["WALSUP_PRIMARY_CONNINFO"] = (
            f"host=127.0.0.1,127.0.0.1 port={ports} target_session_attrs=read-write"
        )
    return zero, one


@pytest.mark.rule("role-from-the-archive")
def test_an_old_primary_comes_back_as_a_standby(walsup: Make, s3: S3Server) -> None:
    """What only it has is brought into the archive first; the ordinal decides only once."""
    with FaultProxy(s3.port) as proxy:
        zero, one = _pods(walsup, proxy.endpoint)
        one.start()
        zero.start()
        wait_protected(zero)
        wait_source(one, "streaming", timeout_s=90)
        count = written(zero)
        archive_now(zero)
        wait_rows(one, count)
        # Cut off from both: it acknowledges what nobody else ever gets.
        assert one.stop() == 0
        proxy.refuse()
        assert written(zero, 5) > count
        zero.kill("postgres", SIGKILL)
        zero.kill_tree()
        proxy.pass_through()
        one.start()
        one.wait_accepts()
        told = cli(one, "promote")
        assert told.returncode == 0, told.stderr + told.stdout
        wait_primary(one)
        kept = written(one, 5)
        archive_now(one)
        boot = owner(s3, zero.prefix)["boot"]
        zero.start()
        wait_source(zero, "streaming", timeout_s=120)
        assert zero.events("role.lost")
        assert zero.events("directory.emptied")
        wait_rows(zero, kept)
        assert zero.psql(READ_ONLY) == "t"
        parts = [key for key in s3.keys(f"{zero.prefix}/walsup/diverged/") if key.endswith(".gz")]
        assert len(b"".join(gzip.decompress(s3.get(key)) for key in parts)) > 0
        assert owner(s3, zero.prefix)["boot"] == boot
        assert len(sentinels(s3, zero.prefix)) == 2
        # Promoted, it stays the primary with the same environment, whatever its number.
        assert one.stop() == 0
        one.start()
        wait_protected(one)
        assert one.psql(READ_ONLY) == "f"


@pytest.mark.soak
@pytest.mark.rule("role-from-the-archive")
def test_a_former_primary_is_read_only_while_nobody_can_be_asked(
    walsup: Make, s3: S3Server
) -> None:
    """When the archive answers again it is ended, and started as what it is."""
    with FaultProxy(s3.port) as proxy:
        zero, _ = _pods(walsup, proxy.endpoint)
        zero.start()
        wait_protected(zero)
        count = written(zero)
        archive_now(zero)
        assert zero.stop() == 0
        proxy.refuse()
        zero.start()
        zero.wait_accepts(timeout_s=60)
        assert zero.events("role.unsure")
        assert (rows(zero), zero.psql(READ_ONLY)) == (count, "t")
        proxy.pass_through()
        assert zero.wait() == 74
        zero.start()
        wait_protected(zero)
        assert (rows(zero), zero.psql(READ_ONLY)) == (count, "f")
        # On its own timeline, without another base backup.
        assert owner(s3, zero.prefix)["timeline"] == 1
        assert len(sentinels(s3, zero.prefix)) == 1


@pytest.mark.soak
@pytest.mark.parametrize(("fence", "code"), [("auto", 74), ("off", 65)])
@pytest.mark.rule("role-from-the-archive")
def test_a_primary_that_slept_through_its_end_does_not_go_on(
    walsup: Make, fence: str, code: int
) -> None:
    """Another was promoted meanwhile: the container ends, and comes back as a standby.

    PID 1 ends it at its deadline, and without one the agent does when it reads whose archive it is.
    """
    zero, one = _pods(walsup)
    zero.environment["WALSUP_FENCE"] = fence
    zero.start()
    wait_protected(zero)
    one.start()
    wait_source(one, "streaming", timeout_s=90)
    count = written(zero)
    archive_now(zero)
    wait_rows(one, count)
    members = zero.members()
    for member in members:
        os.kill(member.outer_pid, SIGSTOP)
    assert cli(one, "promote").returncode == 0
    wait_primary(one)
    more = written(one, 5)
    archive_now(one)
    for member in members:
        # The first to go on may have ended a later one.
        with contextlib.suppress(ProcessLookupError):
            os.kill(member.outer_pid, SIGCONT)
    assert zero.wait(60) == code
    zero.start()
    wait_rows(zero, more)
    assert zero.psql(READ_ONLY) == "t"
    assert status(one)["protected"]
