"""How a data directory is made: cut off anywhere, never half; never where an archive is full."""

import random
import time
from collections.abc import Callable
from signal import SIGHUP, SIGTERM, SIGUSR1, SIGUSR2

import pytest

from dev.harness import FaultProxy, S3Server, Walsup
from dev.harness.checks.witness import sentinels, status, verdict, wait_protected

Make = Callable[..., Walsup]


def _ends_well(one: Walsup) -> None:
    one.start()
    one.wait_accepts(timeout_s=60)
    assert one.psql("select count(*) from pg_database where datname = 'orders'") == "1"
    assert not list(one.pgdata.glob(".walsup-stage"))


@pytest.mark.timeout(600)
@pytest.mark.rule("stage")
def test_killed_at_random_moments_of_the_first_boot(walsup: Make) -> None:
    """Whenever it was killed, the next start ends in a whole cluster."""
    chance = random.Random(3)
    for _ in range(8):
        one = walsup(s3=None, env={"POSTGRES_DB": "orders"}).start()
        time.sleep(chance.uniform(0.02, 1.6))
        one.kill_tree()
        _ends_well(one)
        one.close()


@pytest.mark.soak
@pytest.mark.timeout(3000)
@pytest.mark.rule("stage")
def test_killed_at_200_moments_of_the_first_boot(walsup: Make) -> None:
    """The whole of it, with one to three kills a directory."""
    chance = random.Random(5)
    for _ in range(200):
        one = walsup(s3=None, env={"POSTGRES_DB": "orders"})
        for _ in range(chance.randint(1, 3)):
            one.start()
            time.sleep(chance.uniform(0.0, 1.6))
            one.kill_tree()
        _ends_well(one)
        one.close()


@pytest.mark.rule("stop-during-start")
def test_term_during_initdb_ends_cleanly_and_the_next_start_recovers(walsup: Make) -> None:
    """Prepare passes it on and ends; the exit code is 0."""
    one = walsup(s3=None, env={"POSTGRES_DB": "orders"}).start()
    one.wait_for(lambda: list(one.pgdata.glob(".walsup-stage/data/base")), "initdb has begun")
    assert one.stop(timeout_s=15) == 0
    assert not (one.pgdata / "PG_VERSION").exists()
    _ends_well(one)


@pytest.mark.rule("stage")
def test_the_wal_directory_of_a_cut_off_initdb_is_wiped_with_it(walsup: Make) -> None:
    """POSTGRES_INITDB_WALDIR is filled by initdb before the stage counts."""
    one = walsup(s3=None, env={"POSTGRES_DB": "orders"})
    waldir = one.pgdata.parent / "wal"
    one.environment["POSTGRES_INITDB_WALDIR"] = str(waldir)
    one.start()
    one.wait_for(lambda: waldir.is_dir() and list(waldir.iterdir()), "initdb has begun its WAL")
    one.kill_tree()
    assert list(waldir.iterdir())
    _ends_well(one)
    assert (one.pgdata / "pg_wal").readlink() == waldir


def _waits(one: Walsup) -> None:
    one.wait_for(
        lambda: "waiting for the archive" in one.state().get("detail", ""),
        "it waits for the archive",
        timeout_s=40,
    )
    one.wait_for(lambda: one.http("/startupz")[0] == 200, "startup probe")


@pytest.mark.rule("empty-means-listed")
def test_an_empty_directory_waits_while_the_archive_cannot_be_asked(
    walsup: Make, s3: S3Server
) -> None:
    """No initdb, no exit; HTTP answers; other signals change nothing; TERM ends it with 0."""
    with FaultProxy(s3.port) as proxy:
        for mode in (proxy.refuse, proxy.hang, lambda: proxy.answer(403)):
            mode()
            one = walsup(endpoint=proxy.endpoint, env={"WALSUP_STOP_GRACE": "6s"}).start()
            _waits(one)
            assert one.http("/livez")[0] == 200
            assert one.http("/readyz")[0] == 503
            for number in (SIGHUP, SIGUSR1, SIGUSR2):
                one.signal(number)
            time.sleep(0.5)
            assert one.is_running
            assert not list(one.pgdata.iterdir())
            one.signal(SIGTERM)
            assert one.wait(10) == 0
        one.start()
        one.wait_for(lambda: "waiting" in one.state().get("detail", ""), "it waits again")
        proxy.pass_through()
        wait_protected(one)
        assert len(sentinels(s3, one.prefix)) == 1


@pytest.mark.rule("empty-means-listed")
def test_a_bucket_that_does_not_exist_is_no_empty_archive(walsup: Make) -> None:
    """NoSuchBucket is waited out like silence (SeaweedFS makes buckets on PUT only)."""
    one = walsup(env={"WALSUP_ARCHIVE": "s3://no-such-bucket-here/x"}).start()
    one.wait_for(lambda: "(no bucket)" in one.state().get("detail", ""), "it names the bucket")
    assert not list(one.pgdata.iterdir())
    assert one.stop() == 0


@pytest.mark.rule("empty-means-listed")
def test_an_empty_directory_and_a_full_archive_are_refused(walsup: Make, s3: S3Server) -> None:
    """The exit code is ArchiveNotEmptyError's and the message says what to do."""
    first = walsup().start()
    wait_protected(first)
    assert first.stop() == 0
    before = s3.keys(first.prefix)
    second = walsup(prefix=first.prefix).start()
    assert second.wait() == 71
    assert "the archive holds a cluster" in verdict(second)
    assert "HINT: mount the volume" in verdict(second)
    assert not list(second.pgdata.iterdir())
    assert s3.keys(first.prefix) == before


def test_no_password_is_refused_and_trust_is_warned_of(walsup: Make) -> None:
    """As the official image does."""
    one = walsup(s3=None, env={"POSTGRES_PASSWORD": None}).start()
    assert one.wait() == 1
    assert "POSTGRES_PASSWORD" in verdict(one)
    trusting = walsup(
        s3=None, env={"POSTGRES_PASSWORD": None, "POSTGRES_HOST_AUTH_METHOD": "trust"}
    ).start()
    trusting.wait_accepts()
    assert trusting.events("bootstrap.trust")


def test_a_new_cluster_has_checksums_scram_utf8_and_the_password(walsup: Make) -> None:
    """What initdb is asked for."""
    one = walsup(
        s3=None, env={"POSTGRES_USER": "we ird", "POSTGRES_PASSWORD": "p w'd", "POSTGRES_DB": "a b"}
    ).start()
    one.wait_for(lambda: status(one).get("ready"), "ready")
    assert one.psql("show data_checksums", user="we ird") == "on"
    assert one.psql("show server_encoding", user="we ird") == "UTF8"
    assert one.psql("select datname from pg_database where datname = 'a b'", user="we ird") == "a b"
    stored = one.psql("select rolpassword from pg_authid where rolname = 'we ird'", user="we ird")
    assert stored.startswith("SCRAM-SHA-256$")
    assert one.events("bootstrap.ended")
    assert one.stop() == 0
    one.start()
    one.wait_for(lambda: status(one).get("ready"), "ready again")
    assert one.events("bootstrap.skipped")


def test_foreign_and_damaged_directories_are_refused_by_name(walsup: Make) -> None:
    """Each with what is wrong; nothing is touched."""
    one = walsup(s3=None)
    one.pgdata.mkdir(parents=True, exist_ok=True)
    (one.pgdata / "holiday.jpg").write_text("x")
    one.start()
    assert one.wait() == 65
    assert "holiday.jpg" in verdict(one)
    assert (one.pgdata / "holiday.jpg").exists()

    other = walsup(s3=None).start()
    other.wait_accepts()
    assert other.stop() == 0
    (other.pgdata / "PG_VERSION").write_text("11\n")
    other.start()
    assert other.wait() == 66
    assert "of PostgreSQL 11" in verdict(other)
    major = other.machine.major
    assert f"PostgreSQL {major} is installed" in verdict(other)
    (other.pgdata / "PG_VERSION").write_text(f"{major}\n")
    control = other.pgdata / "global" / "pg_control"
    sound = control.read_bytes()
    control.write_bytes(sound[:100] + b"\xff" + sound[101:])
    other.start()
    assert other.wait() == 65
    assert "pg_control" in verdict(other)
    control.write_bytes(sound)
    other.start()
    other.wait_accepts()
