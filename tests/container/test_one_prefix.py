"""Two containers and one prefix: the second uploads nothing, and both databases run."""

from collections.abc import Callable

import pytest

from dev.containers import Box, S3Box
from dev.harness.checks.witness import owner, segments, wait_fault, wait_protected

Make = Callable[..., Box]


@pytest.mark.rule("one-owner")
def test_the_second_container_is_kept_out(box: Make, s3: S3Box) -> None:
    """A new cluster is not begun over an archive; a volume that has one runs with its gate shut."""
    one = box(archive=s3).volume().run()
    one.wait_accepts()
    wait_protected(one, timeout_s=150)
    prefix = one.environment["WALSUP_ARCHIVE"].rpartition("/")[2]
    archive = {"WALSUP_ARCHIVE": one.environment["WALSUP_ARCHIVE"]}

    empty = box(archive=s3, env=archive).run()
    assert empty.wait() == 71
    assert "HINT" in empty.last_word()

    other = box().volume().run()
    other.wait_accepts()
    assert other.stop() == 0
    other.environment |= {
        name: value for name, value in one.environment.items() if name.startswith(("AWS", "WALSUP"))
    }
    other.run()
    other.wait_accepts()
    fault = wait_fault(other, "gate")
    assert fault["kind"] == "not the owner"
    other.psql("create table t as select generate_series(1, 1000) n; select pg_switch_wal()")
    before = owner(s3, prefix)["system_id"]
    one.psql("select pg_switch_wal()")
    wait_protected(one, timeout_s=150)
    assert owner(s3, prefix)["system_id"] == before
    assert before == one.psql("select system_identifier from pg_control_system()")
    assert before != other.psql("select system_identifier from pg_control_system()")
    assert segments(s3, prefix)
    assert int(other.psql("select count(*) from t")) == 1000
