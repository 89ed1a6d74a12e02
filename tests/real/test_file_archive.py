"""An archive in a directory: a good day, its owner, and the ways in which a volume fails."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev.harness import Machine, Volume, Walsup, wait_until
from dev.harness.checks.witness import (
    Ledger,
    status,
    verdict,
    wait_fault,
    wait_no_lag,
    wait_protected,
)
from dev.harness.scenarios.restore_by_hand import restore

Make = Callable[..., Walsup]

SOON = {"WALSUP_ARCHIVE_TIMEOUT": "3s", "WALSUP_STOP_GRACE": "12s"}


@pytest.fixture
def volume(machine: Machine) -> Iterator[Volume]:
    """A file system of 400 MB."""
    with Volume(machine, megabytes=400) as one:
        yield one


def _owner(archive: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((archive / "walsup" / "owner.json").read_text())
    return found


def _on(archive: Path, **more: str) -> dict[str, object]:
    return {"s3": None, "env": SOON | {"WALSUP_ARCHIVE": f"file://{archive}"} | more}


def test_a_good_day_in_a_directory(walsup: Make, volume: Volume) -> None:
    """Base backup, segments, a clean stop, a restart, a restore; a second database is kept out."""
    one = walsup(**_on(volume.archive)).start()
    wait_protected(one)
    with Ledger(one) as ledger:
        one.wait_for(lambda: ledger.acknowledged > 50, "rows")
    assert one.stop() == 0
    assert "is in the bucket: yes" in verdict(one)
    assert _owner(volume.archive)["state"] == "stopped"
    one.start()
    wait_protected(one)
    assert _owner(volume.archive)["epoch"] == 2
    other = walsup(**_on(volume.archive)).start()
    assert other.wait() == 71
    assert one.stop() == 0
    assert restore(one, one.engine, one.pgdata.parent / "restored") == ledger.acknowledged


@pytest.mark.rule("hung-filesystem")
def test_a_frozen_archive_stops_nothing_but_archiving(walsup: Make, volume: Volume) -> None:
    """Hung in the kernel: the database runs, probes answer, it is named, and heals by itself."""
    one = walsup(**_on(volume.archive)).start()
    wait_protected(one)
    with Ledger(one) as ledger:
        volume.freeze()
        one.psql("select pg_switch_wal()")
        assert wait_fault(one, "bucket", timeout_s=40)["kind"] == "timeout"
        before = ledger.acknowledged
        assert one.http("/livez", timeout_s=1)[0] == 200
        assert one.http("/status", timeout_s=1)[0] == 200
        one.wait_for(lambda: ledger.acknowledged > before + 10, "rows are written meanwhile")
        assert len([words for words in _hung(one) if "directory_worker" in words]) == 1
        volume.thaw()
        one.wait_for(lambda: not status(one)["faults"], "no fault stands", timeout_s=60)
    assert ledger.failures == 0
    assert ledger.rows() >= ledger.acknowledged > 0
    wait_no_lag(one, timeout_s=90)
    assert one.stop() == 0
    assert "is in the bucket: yes" in verdict(one)


@pytest.mark.rule("hung-filesystem")
def test_stop_and_start_while_the_archive_is_frozen(walsup: Make, volume: Volume) -> None:
    """A stop waits for no hung process and says what is missing; an existing database starts."""
    one = walsup(**_on(volume.archive)).start()
    wait_protected(one)
    one.psql("create table t as select 1 as n")
    volume.freeze()
    one.psql("select pg_switch_wal()")
    one.wait_for(lambda: any(" daemon " in words for words in _hung(one)), "the daemon hangs")
    one.signal(15)
    wait_until(lambda: one.state().get("phase") == "ended", "the stop has ended")
    assert one.state()["exit_code"] == "0"
    assert "in the bucket: no" in verdict(one)
    # In a PID namespace the kernel itself keeps PID 1 until the hung processes are gone.
    volume.thaw()
    assert one.wait() == 0
    volume.freeze()
    one.start()
    one.wait_accepts()
    assert wait_fault(one, "gate")["kind"] == "timeout"
    assert one.psql("select n from t") == "1"
    volume.thaw()
    wait_protected(one)
    wait_no_lag(one)


@pytest.mark.rule("empty-means-listed")
def test_an_empty_directory_waits_for_its_archive(walsup: Make, volume: Volume) -> None:
    """What may not be listed is not taken for empty."""
    volume.archive.chmod(0)
    one = walsup(**_on(volume.archive)).start()
    _wait_detail(one, "waiting for the archive (no rights)")
    volume.archive.chmod(0o700)
    wait_protected(one)


@pytest.mark.rule("disk-full")
def test_a_full_archive_is_disk_full_and_the_database_runs(walsup: Make, volume: Volume) -> None:
    """The class names it; with room again nothing is missing, half files of WAL-G included."""
    one = walsup(**_on(volume.archive)).start()
    wait_protected(one)
    filler = volume.path / "filler"
    _fill(filler)
    with Ledger(one) as ledger:
        for _ in range(3):
            # Random bytes, so that compression does not make room for them.
            one.psql(
                "create table if not exists t (x text); insert into t select string_agg(md5("
                "random()::text), '') from generate_series(1, 400000) g group by g % 100"
            )
            one.psql("select pg_switch_wal()")
        fault = wait_fault(one, "bucket")
        assert fault["kind"] == "disk full"
        assert "archive" in fault["remedy"]
        before = ledger.acknowledged
        one.wait_for(lambda: ledger.acknowledged > before + 10, "rows are written meanwhile")
        filler.unlink()
        one.wait_for(lambda: not status(one)["faults"], "no fault stands", timeout_s=90)
    assert ledger.failures == 0
    wait_no_lag(one, timeout_s=90)
    assert one.stop() == 0
    assert "is in the bucket: yes" in verdict(one)


def test_a_read_only_archive_is_no_rights(walsup: Make, volume: Volume) -> None:
    """The class names it, and it heals by itself."""
    one = walsup(**_on(volume.archive)).start()
    wait_protected(one)
    wait_no_lag(one)
    volume.read_only(on=True)
    one.psql("create table t as select 1 as n")
    one.psql("select pg_switch_wal()")
    assert wait_fault(one, "bucket", timeout_s=40)["kind"] == "no rights"
    volume.read_only(on=False)
    one.wait_for(lambda: not status(one)["faults"], "no fault stands", timeout_s=60)
    wait_no_lag(one, timeout_s=90)


def test_a_directory_that_is_not_there_is_no_bucket(walsup: Make, volume: Volume) -> None:
    """On the system's own file system it is never made: the volume may just not be mounted."""
    nowhere = volume.base / "archive"
    one = walsup(**_on(nowhere)).start()
    _wait_detail(one, "waiting for the archive (no bucket)")
    assert not nowhere.exists()
    assert one.stop() == 0


def _wait_detail(one: Walsup, words: str) -> None:
    one.wait_for(lambda: words in one.state().get("detail", ""), words)


def _hung(one: Walsup) -> list[str]:
    """The command lines of what hangs in the kernel, with any of its threads."""
    found = []
    for member in one.members():
        with contextlib.suppress(OSError):  # it ended
            stats = [s.read_text() for s in Path(f"/proc/{member.outer_pid}/task").glob("*/stat")]
            if any(stat.rpartition(")")[2].split()[0] == "D" for stat in stats):
                found.append(" ".join(member.argv))
    return found


def _fill(filler: Path) -> None:
    with filler.open("wb") as file:
        try:
            while True:
                file.write(bytes(1 << 20))
                file.flush()
        except OSError:
            return
