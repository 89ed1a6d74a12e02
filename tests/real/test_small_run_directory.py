"""A run directory that is smaller than a segment, as a container's /run in memory may be."""

from collections.abc import Callable, Iterator

import pytest

from dev.harness import Walsup
from dev.harness.witness import wait_no_lag, wait_protected
from tests.real.test_disk_full import Mounts

Make = Callable[..., Walsup]

_WAL = (
    "select count(pg_logical_emit_message(false, 'x', repeat(md5(n::text), 9999)))"
    " from generate_series(1, 60) n"
)


@pytest.fixture
def mounts() -> Iterator[Mounts]:
    """Gone after the test."""
    made = Mounts()
    yield made
    made.remove()


def test_s05_what_is_compared_needs_no_room_in_the_run_directory(
    walsup: Make, mounts: Mounts
) -> None:
    """The archive's newest segment is fetched beside the data, and nothing of it is left."""
    one = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "2s"})
    mounts.make(one, one.run_dir, 4)
    one.start()
    wait_protected(one)
    one.psql(_WAL)
    one.psql("select pg_switch_wal()")
    wait_no_lag(one)
    one.kill_tree()
    one.start()
    wait_protected(one)
    assert not any(one.pgdata.glob(".walsup-scratch*"))
    assert not (one.run_dir / "scratch").exists()
    assert "disk full" not in [event["kind"] for event in one.events("fault.appeared")]
