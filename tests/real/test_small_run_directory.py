"""A run directory that is smaller than a segment, as a container's /run in memory may be."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev.harness import Walsup
from dev.harness.witness import status, wait_no_lag, wait_protected
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
    _configuration_is_written_when_there_is_room(one)


def _configuration_is_written_when_there_is_room(one: Walsup) -> None:
    """It has gone from a full run directory: a fault, and the watch goes on."""
    (one.run_dir / "engine.json").unlink()
    filler = one.run_dir / "filler"
    one.wait_for((one.run_dir / "engine.json").exists, "it is written again")
    _fill(filler)
    (one.run_dir / "engine.json").unlink()
    _fill(filler)
    fault = one.wait_for(lambda: status(one)["faults"].get("engine"), "it cannot be written")
    assert fault["kind"] == "disk full"
    assert "engine.json" in fault["problem"]
    filler.unlink()
    wait_protected(one)
    assert (one.run_dir / "engine.json").exists()
    assert not one.events("loop.failed")


def _fill(filler: Path) -> None:
    with contextlib.suppress(OSError), filler.open("ab", buffering=0) as file:
        while True:
            file.write(bytes(512))
