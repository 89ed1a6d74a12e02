"""The stage, cut off at every one of its steps as SIGKILL does."""

import fcntl
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.harness import Machine
from walsup.boot import staging
from walsup.boot.inspect import look
from walsup.boot.plan import Cluster, Empty, Found, Staged
from walsup.errors import BootstrapError, DataDirectoryError

# What a step of the stage does to the disk; fsync is not one, a kill loses nothing written.
_STEPS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.setxattr")


def cut_off(at_step: int, work: Callable[[], object]) -> bool:
    """Do `work` in a process that dies before its n-th step; False when it came to its end."""
    pid = os.fork()
    if pid == 0:
        left = at_step

        def hook(event: str, _: object) -> None:
            nonlocal left
            if event in _STEPS:
                left -= 1
                if left < 0:
                    os._exit(9)

        code = 1
        try:
            sys.addaudithook(hook)
            work()
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, 9)
    return code == 9


def fill(data: Path, waldir: Path | None) -> None:
    """Make what initdb makes, as far as the stage can tell: a few files and a link."""
    for folder in (data, data / "base", data / "global", data / "pg_xact"):
        folder.mkdir()
    for name in ("PG_VERSION", "postgresql.conf", "global/pg_control", "base/1"):
        (data / name).write_text("15")
    wal = waldir or data / "pg_wal"
    wal.mkdir(exist_ok=True)
    (wal / "000000010000000000000001").write_text("wal")
    (wal / "archive_status").mkdir()
    if waldir:
        (data / "pg_wal").symlink_to(waldir)


def start(pgdata: Path, waldir: Path | None) -> None:
    """What prepare does with what it finds, up to a cluster."""
    match look(pgdata):
        case Staged(complete=True):
            staging.finish(pgdata)
        case Empty() | Staged():
            fill(staging.begin(pgdata, waldir), waldir)
            staging.complete(pgdata)
            staging.finish(pgdata)
        case _:  # pg_control is none here, so a whole cluster shows as a damaged one
            staging.remove_leftover(pgdata)


def whole(pgdata: Path) -> bool:
    """Tell whether everything that `fill` has made is in its place, and nothing else."""
    names = {"PG_VERSION", "base", "global", "pg_wal", "pg_xact", "postgresql.conf"}
    segment = pgdata / "pg_wal" / "000000010000000000000001"
    return {entry.name for entry in pgdata.iterdir()} == names and segment.exists()


@pytest.fixture(params=["inside", "elsewhere", "to be made"])
def waldir(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    """Where pg_wal is: in the stage, or on another volume."""
    if request.param == "inside":
        return None
    path = tmp_path / "wal"
    if request.param == "elsewhere":
        path.mkdir()
    return path


@pytest.mark.rule("stage")
def test_cut_off_anywhere(tmp_path: Path, waldir: Path | None) -> None:
    """After a kill at any step the next start ends with a whole cluster, and only that."""
    step, cut = 0, True
    while cut:
        pgdata = tmp_path / f"data-{step}"
        pgdata.mkdir()
        wal = waldir and waldir.with_name(f"wal-{step}")
        if wal and waldir and waldir.exists():
            wal.mkdir()
        cut = cut_off(step, lambda: start(pgdata, wal))  # noqa: B023 (called before the next turn)
        half = not look_is_cluster(pgdata)
        complete = staging.is_complete(pgdata)
        start(pgdata, wal)
        assert whole(pgdata), step
        assert half or not complete or not staging.exists(pgdata), step
        step += 1
    assert step > 20


@pytest.mark.rule("stage")
def test_cut_off_twice(tmp_path: Path) -> None:
    """A start that cleans up after a cut-off one may be cut off itself."""
    for first in range(0, 40, 5):
        for second in (0, 6, 13, 22):
            pgdata, wal = tmp_path / f"data-{first}-{second}", tmp_path / f"wal-{first}-{second}"
            pgdata.mkdir()
            for step in (first, second):
                cut_off(step, lambda: start(pgdata, wal))  # noqa: B023 (called at once)
            start(pgdata, wal)
            assert whole(pgdata), (first, second)


def look_is_cluster(pgdata: Path) -> bool:
    """Tell whether the next start would take the directory as it is."""
    return not isinstance(look(pgdata), (Empty, Staged))


@pytest.mark.rule("stage")
def test_global_is_last(tmp_path: Path) -> None:
    """Whenever `global` is in its place, everything else is."""
    for step in range(40):
        pgdata = tmp_path / f"data-{step}"
        pgdata.mkdir()
        cut_off(step, lambda: start(pgdata, None))  # noqa: B023 (called at once)
        if (pgdata / "global").exists():
            staging.remove_leftover(pgdata)
            assert whole(pgdata), step


@pytest.mark.rule("stage")
def test_real_cluster_moves(tmp_path: Path, cluster: Path, machine: Machine) -> None:
    """What initdb made is the same cluster after the move."""
    staging.begin(tmp_path, None)
    os.system(f"cp -a {cluster} {tmp_path}/{staging.STAGE}/{staging.DATA}")  # noqa: S605 (our paths)
    assert look(tmp_path) == Staged(complete=False)
    staging.complete(tmp_path)
    assert look(tmp_path) == Staged(complete=True, major=machine.major)
    staging.finish(tmp_path)
    found: Found = look(tmp_path)
    assert isinstance(found, Cluster)
    assert found == look(cluster)


@pytest.mark.rule("stage")
def test_complete_is_never_wiped(tmp_path: Path) -> None:
    """With the file `complete` on the disk, nothing takes the stage away."""
    fill(staging.begin(tmp_path, None), None)
    staging.complete(tmp_path)
    with pytest.raises(FileExistsError):
        staging.wipe(tmp_path)
    with pytest.raises(FileExistsError):
        staging.begin(tmp_path, None)
    staging.finish(tmp_path)
    assert whole(tmp_path)


@pytest.mark.rule("stage")
def test_wal_of_a_finished_cluster_is_forgotten(tmp_path: Path) -> None:
    """Once the move has begun nothing remembers the WAL directory as one to wipe."""
    pgdata, wal = tmp_path / "data", tmp_path / "wal"
    pgdata.mkdir()
    fill(staging.begin(pgdata, wal), wal)
    staging.complete(pgdata)
    staging.finish(pgdata)
    staging.begin(pgdata, None)
    staging.wipe(pgdata)
    assert (wal / "000000010000000000000001").exists()


@pytest.mark.rule("stage")
def test_a_moved_file_means_a_forgotten_wal_directory(tmp_path: Path) -> None:
    """However the move is cut off, what has begun to be a cluster's WAL is not to be wiped."""
    for step in range(30):
        pgdata, wal = tmp_path / f"data-{step}", tmp_path / f"wal-{step}"
        pgdata.mkdir()
        fill(staging.begin(pgdata, wal), wal)
        staging.complete(pgdata)
        cut_off(step, lambda: staging.finish(pgdata))  # noqa: B023 (called at once)
        if any(not entry.name.startswith(".") for entry in pgdata.iterdir()):
            assert not (pgdata / staging.STAGE / "waldir").exists(), step


@pytest.mark.rule("stage")
def test_another_wal_directory_is_not_wiped(tmp_path: Path) -> None:
    """A directory with something in it is neither remembered nor wiped, however often we start."""
    pgdata, first, precious = tmp_path / "data", tmp_path / "first", tmp_path / "precious"
    pgdata.mkdir()
    precious.mkdir()
    (precious / "all we have").touch()
    fill(staging.begin(pgdata, first), first)
    for _ in range(3):
        with pytest.raises(BootstrapError):
            staging.begin(pgdata, precious)
    staging.wipe(pgdata)
    assert (precious / "all we have").exists()
    assert list(first.iterdir()) == []


@pytest.mark.parametrize("memory", ["", ".", "relative"])
@pytest.mark.rule("stage")
def test_half_a_memory_wipes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: str
) -> None:
    """A path that is not absolute was not written by us; the current directory is spared."""
    (tmp_path / "here" / "relative").mkdir(parents=True)
    (tmp_path / "here" / "relative" / "precious").touch()
    monkeypatch.chdir(tmp_path / "here")
    staging.begin(tmp_path, None)
    (tmp_path / staging.STAGE / "waldir").write_text(memory)
    staging.wipe(tmp_path)
    assert (tmp_path / "here" / "relative" / "precious").exists()
    assert not staging.exists(tmp_path)


def test_links_in_the_wal_directory_are_not_followed(tmp_path: Path) -> None:
    """What a link points to is not the stage's."""
    pgdata, wal, other = tmp_path / "data", tmp_path / "wal", tmp_path / "other"
    for folder in (pgdata, other):
        folder.mkdir()
    (other / "precious").touch()
    staging.begin(pgdata, wal)
    (wal / "link").symlink_to(other)
    staging.wipe(pgdata)
    assert (other / "precious").exists()
    assert list(wal.iterdir()) == []


def test_leftover_stays_while_there_is_no_cluster(tmp_path: Path) -> None:
    """Only a `global` in its place makes the stage worthless."""
    fill(staging.begin(tmp_path, None), None)
    staging.remove_leftover(tmp_path)
    assert staging.exists(tmp_path)


@pytest.mark.rule("stage")
def test_what_another_stage_has_filled_meanwhile_is_not_emptied(tmp_path: Path) -> None:
    """The same directory, emptied by hand and filled for another data directory."""
    first, second, place = (tmp_path / name for name in ("first", "second", "place"))
    for pgdata in (first, second):
        pgdata.mkdir()
    staging.begin(first, None)
    staging.remember_outside(first, [str(place)])
    (place / "PG_15").mkdir()
    staging.begin(second, None)
    with pytest.raises(DataDirectoryError, match="not empty: it holds PG_15"):
        staging.remember_outside(second, [str(place)])
    (place / "PG_15").rmdir()
    staging.remember_outside(second, [str(place)])
    (place / "PG_15").mkdir()
    staging.wipe(first)
    assert (place / "PG_15").exists()
    assert not staging.exists(first)
    staging.wipe(second)
    assert list(place.iterdir()) == []


@pytest.mark.rule("stage")
def test_what_a_running_server_has_locked_is_not_emptied(tmp_path: Path) -> None:
    """Nor what is mounted there since, nor what holds the directory of such a server."""
    place, outer = tmp_path / "outer" / "place", tmp_path / "outer"
    staging.begin(tmp_path, None)
    staging.remember_outside(tmp_path, [str(place), str(outer)])
    (place / "PG_15").mkdir()
    lock = os.open(place / "PG_15", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    staging.wipe(tmp_path)
    os.close(lock)
    assert (place / "PG_15").exists()


@pytest.mark.rule("stage")
def test_another_directory_at_a_noted_path_is_not_emptied(tmp_path: Path) -> None:
    """A volume that was mounted later: for tablespaces and for the WAL directory."""
    pgdata, wal, place = (tmp_path / name for name in ("data", "wal", "place"))
    pgdata.mkdir()
    staging.begin(pgdata, wal)
    staging.remember_outside(pgdata, [str(place)])
    for directory in (wal, place):
        directory.rename(f"{directory}.before")
        directory.mkdir()
        (directory / "precious").touch()
    staging.wipe(pgdata)
    assert (wal / "precious").exists()
    assert (place / "precious").exists()


@pytest.mark.rule("stage")
def test_the_note_of_an_older_walsup_empties_nothing(tmp_path: Path) -> None:
    """It has only the paths."""
    place = tmp_path / "place"
    place.mkdir()
    (place / "precious").touch()
    staging.begin(tmp_path, None)
    (tmp_path / staging.STAGE / "outside").write_text(f"{place}\0{tmp_path}/absent")
    staging.wipe(tmp_path)
    assert (place / "precious").exists()
    assert not staging.exists(tmp_path)
