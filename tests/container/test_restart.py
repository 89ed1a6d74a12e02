"""Restarts, kills and new containers on an old volume: what was committed is there."""

from collections.abc import Callable

from dev.containers import Box, S3Box
from dev.harness.checks.witness import Ledger, wait_no_lag, wait_protected

Make = Callable[..., Box]


def test_five_graceful_restarts_in_a_row_lose_nothing(box: Make, s3: S3Box) -> None:
    """A client writes all the while; each stop says that everything is in the bucket."""
    one = box(archive=s3).volume().run()
    one.wait_accepts()
    wait_protected(one, timeout_s=150)
    with Ledger(one) as ledger:
        for _ in range(5):
            _wait_written(one, ledger)
            assert one.stop() == 0
            assert "is in the bucket: yes" in one.last_word()
            one.start()
            one.wait_accepts()
    assert ledger.rows() >= ledger.acknowledged > 25
    wait_protected(one, timeout_s=150)
    assert one.log().count("Skipping initialization") == 5


def test_a_killed_container_recovers_and_goes_on(box: Make, s3: S3Box) -> None:
    """`docker kill`, then `docker start`: nothing acknowledged is lost, the archive goes on."""
    one = box(archive=s3, env={"WALSUP_ARCHIVE_TIMEOUT": "3s"}).volume().run()
    one.wait_accepts()
    wait_protected(one, timeout_s=150)
    with Ledger(one) as ledger:
        for _ in range(2):
            _wait_written(one, ledger)
            one.kill()
            assert one.wait() == 137
            one.start()
            one.wait_accepts()
    assert ledger.rows() >= ledger.acknowledged > 10
    wait_protected(one, timeout_s=150)
    wait_no_lag(one, timeout_s=150)


def test_a_new_container_continues_the_volume(box: Make, s3: S3Box) -> None:
    """What `docker rm` and an upgrade of the image do: the volume and the archive go on."""
    one = box(archive=s3).volume().run()
    one.wait_accepts()
    one.psql("create table t as select 42 as n")
    wait_protected(one, timeout_s=150)
    assert one.stop() == 0
    one.run()
    one.wait_accepts()
    assert one.psql("select n from t") == "42"
    wait_protected(one, timeout_s=150)
    assert "PostgreSQL init process complete" not in one.log()


def _wait_written(one: Box, ledger: Ledger) -> None:
    before = ledger.acknowledged
    one.wait_for(lambda: ledger.acknowledged > before + 5, "the client writes")
