"""Full disks (S25): the words and the code of the end, and a start that needs no hand."""

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev.harness import FaultProxy, PgToolError, S3Server, Walsup, wait_until
from dev.harness.checks.witness import (
    Ledger,
    cli,
    status,
    verdict,
    wait_fault,
    wait_no_lag,
    wait_protected,
)
from dev.harness.scenarios.clones import source_of
from walsup.errors import DiskFullError
from walsup.init.postgres_end import full_disk

Make = Callable[..., Walsup]

SOON = {"WALSUP_ARCHIVE_TIMEOUT": "3s"}
SMALL_WAL = ("-c", "min_wal_size=32MB", "-c", "max_wal_size=48MB")
_MIB = 1 << 20


class Mounts:
    """File systems of a size of their own."""

    def __init__(self) -> None:
        self._made: list[Path] = []

    def make(self, one: Walsup, path: Path, size_mib: int) -> None:
        """Mount one at `path`, which the database's user may write to."""
        path.mkdir(parents=True, exist_ok=True)
        _run("mount", "-t", "tmpfs", "-o", f"size={size_mib}m,mode=700", "walsup-test", path)
        self._made.append(path)
        one.machine.give_to_database(path)

    def resize(self, path: Path, size_mib: int) -> None:
        """Make it larger or smaller."""
        _run("mount", "-o", f"remount,size={size_mib}m", path)

    def remove(self) -> None:
        """Take them away, whoever is still in there."""
        for path in reversed(self._made):
            _run("umount", "-l", path)


def _run(*words: object) -> None:
    subprocess.run([str(word) for word in words], check=True, capture_output=True)


@pytest.fixture
def mounts() -> Iterator[Mounts]:
    """Gone after the test."""
    made = Mounts()
    yield made
    made.remove()


def _fill(one: Walsup) -> None:
    """Write WAL until postgres ends."""
    while one.is_running:
        try:
            one.psql(
                "select count(pg_logical_emit_message(false, 'x', repeat('x', 1000000)))"
                " from generate_series(1, 8)",
                timeout_s=20,
            )
        except (PgToolError, OSError, subprocess.TimeoutExpired):
            wait_until(lambda: one.accepts() or not one.is_running, "it is back or gone")


def _fill_file(path: Path) -> None:
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass


def _ends_full(one: Walsup, wal: Path) -> None:
    assert one.wait(60) == DiskFullError.exit_code
    assert "is full" in verdict(one)
    assert str(wal) in verdict(one)
    assert "MB more" in verdict(one)
    assert one.state()["exit_code"] == str(DiskFullError.exit_code)
    assert one.events("disk.full")


def _reserved(wal: Path) -> int:
    return sum(1 for path in wal.glob(".walsup-reserve-*"))


@pytest.mark.rule("disk-full")
def test_pg_wal_full_ends_with_its_code_and_starts_again_by_itself(
    walsup: Make, s3: S3Server, mounts: Mounts
) -> None:
    """Archive away, disk full, archive back: the reserve lets it start, and all rows are there."""
    with FaultProxy(s3.port) as proxy:
        one = walsup(endpoint=proxy.endpoint, args=SMALL_WAL)
        wal = one.layout.volume / "wal"
        mounts.make(one, wal, 256)
        one.environment |= SOON | {"POSTGRES_INITDB_WALDIR": str(wal / "of-it")}
        pg_wal = wal / "of-it"
        one.start()
        wait_protected(one)
        one.wait_for(lambda: _reserved(pg_wal) == 2, "two segments are put aside")
        proxy.refuse()
        with Ledger(one) as ledger:
            one.wait_for(lambda: ledger.acknowledged > 10, "rows are written")
            _fill(one)
        _ends_full(one, pg_wal)
        proxy.pass_through()
        one.start()
        one.wait_accepts()
        assert one.events("reserve.given_up")
        assert ledger.rows() >= ledger.acknowledged > 10
        wait_protected(one)
        wait_no_lag(one, timeout_s=90)
        assert "disk" not in status(one)["faults"]
        one.psql("checkpoint")  # what was archived is recycled or removed
        one.wait_for(lambda: _reserved(pg_wal) == 2, "two segments are put aside again")
        assert one.stop() == 0
        assert "is in the bucket: yes" in verdict(one)


@pytest.mark.rule("disk-full")
def test_a_larger_disk_is_enough(walsup: Make, s3: S3Server, mounts: Mounts) -> None:
    """With the archive still away each start says the same, until there is room."""
    with FaultProxy(s3.port) as proxy:
        one = walsup(endpoint=proxy.endpoint, args=SMALL_WAL)
        wal = one.layout.volume / "wal"
        mounts.make(one, wal, 128)
        one.environment |= SOON | {"POSTGRES_INITDB_WALDIR": str(wal / "of-it")}
        one.start()
        wait_protected(one)
        proxy.refuse()
        with Ledger(one) as ledger:
            one.wait_for(lambda: ledger.acknowledged > 10, "rows are written")
            _fill(one)
        _ends_full(one, wal / "of-it")
        one.start()
        _fill(one)  # some room may have been left for a while
        _ends_full(one, wal / "of-it")
        mounts.resize(wal, 400)
        one.start()
        one.wait_accepts()
        assert ledger.rows() >= ledger.acknowledged > 10
        proxy.pass_through()
        wait_protected(one)
        wait_no_lag(one, timeout_s=90)
        assert one.stop() == 0


@pytest.mark.rule("disk-full")
def test_the_forecast_names_the_time(walsup: Make, s3: S3Server) -> None:
    """While nothing is archived and something is written, the reasons say when it ends."""
    with FaultProxy(s3.port) as proxy:
        one = walsup(endpoint=proxy.endpoint, env=SOON).start()
        wait_protected(one)
        assert one.stop() == 0
        proxy.refuse()
        one.start()
        wait_fault(one, "gate")

        def told() -> bool:
            one.psql(
                "select count(pg_logical_emit_message(false, 'x', repeat('x', 1000000)))"
                " from generate_series(1, 100)"
            )
            reasons = status(one).get("reasons", [])
            return any("pg_wal will be full in about" in reason for reason in reasons)

        one.wait_for(told, "the forecast is told", timeout_s=60)
        assert status(one)["disk"]["full_in_s"] > 0
        assert b"walsup_wal_full_seconds" in str(one.http("/metrics")[1]).encode()


@pytest.mark.rule("disk-full")
def test_a_full_run_directory_is_named_and_survived(walsup: Make, mounts: Mounts) -> None:
    """The database runs, PID 1's state stays fresh, and room makes all green again."""
    one = walsup(env=SOON)
    mounts.make(one, one.run_dir, 4)
    one.start()
    wait_protected(one)
    ballast = one.run_dir / "ballast"
    _fill_file(ballast)
    fault = wait_fault(one, "disk")
    assert fault["kind"] == "disk full"
    assert str(one.run_dir) in fault["problem"]
    before = one.state()
    one.kill("engine")
    one.wait_for(
        lambda: one.state().get("engine_restarts", "") not in ("", before["engine_restarts"]),
        "the state goes on changing",
    )
    one.psql("create table t (n int)")
    assert one.http("/livez")[0] == 200
    ballast.unlink()
    wait_protected(one)
    wait_no_lag(one)
    assert one.stop() == 0


@pytest.mark.rule("disk-full")
def test_a_full_data_directory_beside_a_roomy_pg_wal(walsup: Make, mounts: Mounts) -> None:
    """Checkpoints make postgres begin anew, or end with the code; nothing acknowledged is lost."""
    one = walsup(args=SMALL_WAL)
    mounts.make(one, one.layout.volume, 80)
    wal = one.layout.base / "wal"
    one.environment |= SOON | {"POSTGRES_INITDB_WALDIR": str(wal)}
    wal.mkdir()
    one.machine.give_to_database(wal)
    one.start()
    wait_protected(one)
    with Ledger(one) as ledger:
        one.wait_for(lambda: ledger.acknowledged > 10, "rows are written")
        _fill_file(one.layout.volume / "ballast")
        fault = wait_fault(one, "disk")
        assert str(one.pgdata) in fault["problem"]
        before = one.log().count("PANIC")
        wait_until(
            lambda: one.log().count("PANIC") > before or not one.is_running, "a checkpoint fails"
        )
    (one.layout.volume / "ballast").unlink()
    if not one.is_running:
        assert one.wait() == DiskFullError.exit_code
        assert str(one.pgdata) in verdict(one)
        one.start()
    wait_protected(one)
    assert ledger.rows() >= ledger.acknowledged > 10
    wait_no_lag(one)
    assert one.stop() == 0


def test_a_disk_too_small_for_a_restore_is_72_before_and_during_the_fetch(
    walsup: Make, s3: S3Server, mounts: Mounts
) -> None:
    """Also where its inodes end, which no size tells; and `restore --check` says so beforehand."""
    source = walsup(env=SOON).start()
    wait_protected(source)
    wait_no_lag(source)
    assert source.stop() == 0
    clone = walsup(s3=None, env=source_of(s3, source.prefix))
    mounts.make(clone, clone.layout.volume, 8)
    clone.pgdata.mkdir(mode=0o700)
    clone.machine.give_to_database(clone.pgdata)
    assert cli(clone, "restore", "--check").returncode == DiskFullError.exit_code
    assert clone.start().wait(60) == DiskFullError.exit_code
    assert "the restore needs" in verdict(clone)
    assert not list(clone.pgdata.glob("**/PG_VERSION"))
    mounts.resize(clone.layout.volume, 400)
    _run("mount", "-o", "remount,nr_inodes=100", clone.layout.volume)
    assert clone.start().wait(60) == DiskFullError.exit_code
    assert "o space left on device" in verdict(clone)
    _run("mount", "-o", "remount,nr_inodes=100000", clone.layout.volume)
    clone.start().wait_accepts(timeout_s=90)
    assert clone.stop() == 0


def test_a_disk_too_small_for_initdb_is_72(walsup: Make, mounts: Mounts) -> None:
    """What a new cluster needs is the volume's size, not another argument of initdb's."""
    one = walsup(s3=None)
    mounts.make(one, one.layout.volume, 8)
    assert one.start().wait(60) == DiskFullError.exit_code
    assert "No space left on device" in verdict(one)
    mounts.resize(one.layout.volume, 400)
    one.start().wait_accepts(timeout_s=90)
    assert one.stop() == 0


def test_a_full_tablespace_and_inodes_that_have_run_out_are_full_disks(
    walsup: Make, mounts: Mounts
) -> None:
    """Named by their own place; a roomy disk is none."""
    one = walsup(s3=None)
    space = one.layout.base / "space"
    mounts.make(one, space, 8)
    (one.pgdata / "pg_tblspc").mkdir(parents=True)
    (one.pgdata / "pg_wal").mkdir()
    (one.pgdata / "pg_tblspc" / "16385").symlink_to(space)
    assert full_disk(str(one.pgdata)) is None
    _fill_file(space / "ballast")
    found = full_disk(str(one.pgdata))
    assert found is not None
    assert str(space) in found.problem
    (space / "ballast").unlink()
    _run("mount", "-o", "remount,nr_inodes=1", space)
    found = full_disk(str(one.pgdata))
    assert found is not None
    assert "no inode is free" in found.problem
