"""A run directory that is smaller than a segment, as a container's /run in memory may be."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev.harness import S3Server, Walsup
from dev.harness.checks.witness import segments, status, wait_no_lag, wait_protected
from tests.real.test_disk_full import Mounts
from walsup.archive.engine import streamed_comparison
from walsup.archive.engine.adapter import Engine
from walsup.archive.faults import FaultError
from walsup.system.programs import which

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


@pytest.mark.rule("divergence")
def test_what_is_compared_needs_no_room_in_the_run_directory(walsup: Make, mounts: Mounts) -> None:
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


@pytest.mark.rule("divergence")
def test_a_full_volume_beside_a_small_run_directory_needs_no_hand(
    walsup: Make, mounts: Mounts
) -> None:
    """What is compared is read by the engine into a pipe; archiving goes on."""
    one = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "2s", "WALSUP_LEASE": "3s"})
    mounts.make(one, one.run_dir, 4)
    mounts.make(one, one.layout.volume, 400)
    one.start()
    wait_protected(one)
    one.psql(_WAL)
    one.psql("select pg_switch_wal()")
    wait_no_lag(one)
    one.kill_tree()
    filler = one.layout.volume / "filler"
    _fill(filler)
    os.truncate(filler, filler.stat().st_size - (48 << 20))
    one.start()
    one.wait_for(lambda: status(one)["gate"]["state"] == "open", "archiving is enabled")
    one.psql("select pg_switch_wal()")
    wait_no_lag(one)
    assert not [
        e for e in one.events("fault.appeared") if e["kind"] in ("disk full", "bucket ahead")
    ]


@pytest.mark.rule("divergence")
async def test_other_bytes_are_found_while_they_are_read(
    walsup: Make, s3: S3Server, tmp_path: Path
) -> None:
    """Equal, another one, one that is longer or shorter, and what is not there."""
    one = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "1h"}).start()
    wait_protected(one)
    one.psql(_WAL)
    one.psql("select pg_switch_wal()")
    wait_no_lag(one)
    names = [name for name in segments(s3, one.prefix) if (one.pgdata / "pg_wal" / name).exists()]
    keys = [key.removeprefix(f"{one.prefix}/") for key in s3.keys(f"{one.prefix}/wal_005/")]
    first, second = (next(key for key in keys if name in key) for name in names[-2:])
    program = Path(which(one.engine, one.environment["PATH"]) or "")
    engine = Engine(name=one.engine, program=program, client=None)
    config, here = one.run_dir / "engine.json", one.pgdata / "pg_wal" / names[-1]
    assert await streamed_comparison.same(engine.cat_argv(config, second), here, 60, ())
    assert not await streamed_comparison.same(engine.cat_argv(config, first), here, 60, ())
    for size in (here.stat().st_size - 1, here.stat().st_size + 1, 0):
        copy = tmp_path / "copy"
        copy.write_bytes(here.read_bytes())
        os.truncate(copy, size)
        assert not await streamed_comparison.same(engine.cat_argv(config, second), copy, 60, ())
    with pytest.raises(FaultError, match="could not be read to compare it"):
        await streamed_comparison.same(
            engine.cat_argv(config, "wal_005/" + "0" * 24 + ".lz4"), here, 60, ()
        )
    with pytest.raises(FaultError, match="did not end within"):
        await streamed_comparison.same(["sleep", "60"], here, 0.2, ())


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
