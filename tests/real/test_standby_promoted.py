"""A standby becomes the primary: nothing is lost, nothing is overwritten (S4, S13, S15, S20)."""

from collections.abc import Callable
from signal import SIGKILL

import pytest

from dev.harness import FaultProxy, S3Server, Walsup
from dev.harness.checks import documents
from dev.harness.checks.witness import (
    cli,
    owner,
    segments,
    sentinels,
    status,
    wait_fault,
    wait_protected,
)
from dev.harness.scenarios import documented
from dev.harness.scenarios.standbys import (
    EAGER,
    LEASE,
    STANDBY,
    archive_now,
    rows,
    streaming,
    wait_primary,
    wait_rows,
    written,
)

Make = Callable[..., Walsup]


@pytest.mark.rule("no-loss-at-promotion")
def test_the_new_primary_archives_what_the_dead_one_had_not(walsup: Make, s3: S3Server) -> None:
    """Streamed segments are .done on the standby, and yet they are in the archive afterwards."""
    with FaultProxy(s3.port) as proxy:
        one = walsup(endpoint=proxy.endpoint, env=LEASE | {"WALSUP_LEASE": "2s"}).start()
        wait_protected(one)
        written(one)
        archive_now(one)
        two = streaming(walsup, one)
        slot = "select 1 from pg_replication_slots where slot_name = 'walsup_unarchived'"
        two.wait_for(lambda: two.psql(slot) == "1", "it keeps what is not archived")
        refused = cli(two, "promote")
        assert refused.returncode == 74
        assert "owner is alive" in refused.stderr
        # From here on nothing reaches the archive any more.
        proxy.refuse()
        lost = []
        for _ in range(3):
            count = written(one, 5)
            lost.append(one.psql("select pg_walfile_name(pg_switch_wal())"))
        wait_rows(two, count)
        one.psql("checkpoint")
        two.psql("checkpoint")
        one.kill("postgres", SIGKILL)
        one.kill_tree()
        assert not set(lost) & set(segments(s3, one.prefix))
        told = documented.run(two, documents.block("promote"))
        assert told.returncode == 0, told.stderr
        assert "timeline 2" in told.stdout
        wait_primary(two)
        assert rows(two) == count
        assert set(lost) <= set(segments(s3, one.prefix))
        # An archive_timeout may have ended more segments meanwhile: they are pushed too.
        pushed = [event["name"] for event in two.events("segment.pushed")]
        assert set(lost) <= set(pushed)
        assert pushed == sorted(set(pushed))
        assert two.events("history.proven")
        assert two.psql(slot) == ""
        assert not status(two)["holes"]
        assert len(sentinels(s3, one.prefix)) == 2
        assert owner(s3, one.prefix)["boot"] != ""
        assert two.http("/readyz")[0] == 200
        more = written(two, 5)
        archive_now(two)
        assert any(name.startswith("00000002") for name in segments(s3, one.prefix))
        assert owner(s3, one.prefix)["timeline"] == 2
        assert more > count
        assert two.stop() == 0


@pytest.mark.soak
@pytest.mark.rule("ownership")
def test_pg_promote_alone_does_and_exactly_one_backup_is_taken(walsup: Make, s3: S3Server) -> None:
    """Fed by the archive only; a third one goes on along the new timeline."""
    one = walsup(env=LEASE).start()
    wait_protected(one)
    count = written(one)
    archive_now(one)
    two = walsup(prefix=one.prefix, env=STANDBY, args=EAGER).start()
    three = walsup(prefix=one.prefix, env=STANDBY, args=EAGER).start()
    wait_rows(two, count)
    wait_rows(three, count)
    assert one.stop() == 0
    two.psql("select pg_promote()")
    wait_primary(two)
    assert len(sentinels(s3, one.prefix)) == 2
    more = written(two, 5)
    archive_now(two)
    wait_rows(three, more)
    assert three.events("history.followed")
    # The old one comes back with its old settings: it finds out, and writes nothing there.
    before = s3.objects(f"{one.prefix}/wal_005/")
    one.start()
    fault = wait_fault(one, "gate")
    assert fault["kind"] == "not the owner"
    assert one.stop() == 0
    assert two.stop() == 0
    after = s3.objects(f"{one.prefix}/wal_005/")
    assert {key: after.get(key) for key in before} == before


@pytest.mark.soak
@pytest.mark.rule("standby-survives")
def test_promote_proves_the_bucket_first(walsup: Make, s3: S3Server) -> None:
    """A bucket that does not answer refuses; a person may force it."""
    one = walsup(env=LEASE).start()
    wait_protected(one)
    count = written(one)
    archive_now(one)
    with FaultProxy(s3.port) as proxy:
        two = walsup(prefix=one.prefix, endpoint=proxy.endpoint, env=STANDBY, args=EAGER).start()
        wait_rows(two, count)
        assert cli(one, "promote").returncode == 65
        assert one.stop() == 0
        proxy.answer(403, "AccessDenied")
        refused = cli(two, "promote", "--wait", "1")
        assert refused.returncode == 74
        assert "--force" in refused.stderr
        assert two.psql("select pg_is_in_recovery()") == "t"
        assert cli(two, "promote", "--force").returncode == 0
        proxy.pass_through()
        wait_primary(two)
        assert rows(two) == count
        assert two.stop() == 0


@pytest.mark.soak
@pytest.mark.rule("new-timeline")
def test_a_number_that_is_used_is_neither_followed_nor_taken(walsup: Make, s3: S3Server) -> None:
    """A history of nobody's lies in the archive: the standby stays, and is promoted past it."""
    one = walsup(env=LEASE).start()
    wait_protected(one)
    two = walsup(prefix=one.prefix, env=STANDBY, args=EAGER).start()
    count = written(one)
    archive_now(one)
    wait_rows(two, count)
    foreign = f"{one.prefix}/wal_005/00000002.history"
    s3.put(foreign, b"1\t0/1000100\tnobody's\n")
    count = written(one, 5)
    archive_now(one)
    wait_rows(two, count)
    assert two.stop() == 0
    two.start()
    wait_rows(two, count)
    assert one.stop() == 0
    told = cli(two, "promote")
    assert told.returncode == 0, told.stderr
    assert "timeline 3" in told.stdout
    wait_primary(two)
    assert s3.get(foreign) == b"1\t0/1000100\tnobody's\n"
    assert rows(two) == count
    assert two.stop() == 0
