"""The verdict of a stop is the container's last word."""

from collections.abc import Callable

import pytest

from dev.containers import Box, S3Box
from dev.harness.checks.witness import wait_protected

Make = Callable[..., Box]


@pytest.mark.rule("stop-ladder")
def test_the_verdict_is_the_termination_message(box: Make, s3: S3Box) -> None:
    """Yes with the bucket; no without it, before docker's usual 10 s are over; then yes again."""
    one = box(archive=s3, env={"WALSUP_STOP_GRACE": ""}).volume().run()
    one.wait_accepts()
    wait_protected(one, timeout_s=150)
    one.psql("create table t as select generate_series(1, 1000) n")
    s3.pause()
    try:
        assert one.stop(grace_s=10) == 0
    finally:
        s3.resume()
    assert "is in the bucket: no" in one.last_word()
    assert "0000000100000000000000" in one.last_word()
    one.start()
    one.wait_accepts()
    wait_protected(one, timeout_s=150)
    assert one.psql("select count(*) from t") == "1000"
    assert one.stop() == 0
    assert "is in the bucket: yes" in one.last_word()


def test_a_refusal_is_the_termination_message(box: Make) -> None:
    """Why it did not start is where Kubernetes shows it, with the exit code of that reason."""
    one = box(env={"WALSUP_ARCHIVE": "s3//misspelt"}).run()
    assert one.wait() == 64
    assert "WALSUP_ARCHIVE" in one.last_word()
    assert "HINT" in one.last_word()
