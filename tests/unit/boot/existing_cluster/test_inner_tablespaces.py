"""Tablespaces inside the data directory: which they are, and where their files go."""

import shutil
from pathlib import Path

import pytest

from walsup.archive.catalog.base_backups import Backup
from walsup.boot import staging
from walsup.boot.existing_cluster import inner_tablespaces
from walsup.boot.inspect import look
from walsup.boot.plan import Empty, Staged
from walsup.errors import ArchiveError


def _backup(*tablespaces: tuple[str, str], data_dir: str = "/src/data") -> Backup:
    return Backup(
        name="base_000000010000000000000002",
        system_id=1,
        start_lsn=1,
        finish_lsn=2,
        finished_at="",
        uploaded_at=0,
        delta=False,
        tablespaces=tablespaces,
        data_dir=data_dir,
    )


def test_which_are_inside(tmp_path: Path) -> None:
    """Of the directory that was backed up, where the engine can map; of this one under any name."""
    pgdata, alias = tmp_path / "data", tmp_path / "alias"
    pgdata.mkdir()
    alias.symlink_to(pgdata)
    backup = _backup(
        ("1", "/src/data/a/b"), ("2", "/src/database"), ("3", f"{pgdata}/c"), ("4", "/src/data")
    )
    assert inner_tablespaces.inside(alias, backup, "wal-g") == {"1": Path("a/b"), "3": Path("c")}
    assert inner_tablespaces.inside(alias, backup, "walrus") == {"3": Path("c")}
    assert inner_tablespaces.inside(None, backup, "wal-g") == {"1": Path("a/b")}
    assert inner_tablespaces.inside(None, _backup(("1", "/a"), data_dir=""), "wal-g") == {}


@pytest.mark.parametrize("carrier", ["wal-g", "walrus"])
def test_its_files_take_their_place(tmp_path: Path, carrier: str) -> None:
    """Whichever way they were fetched: both copies together; links and map name the final place."""
    data = staging.begin(tmp_path, None)
    (data / "pg_tblspc").mkdir(parents=True)
    (data / "a" / "b" / "PG_15").mkdir(parents=True)
    (data / "a" / "b" / "PG_15" / "1").write_text("in the directory")
    (data / "a" / "b" / "PG_15" / "2").write_text("in the directory")
    backup = _backup(("7", f"{tmp_path}/a/b"), ("8", "/out\nside"), data_dir=str(tmp_path))
    fetched = Path(dict(inner_tablespaces.fetched_to(tmp_path, backup, carrier))["7"])
    (fetched / "PG_15").mkdir(parents=True)
    (fetched / "PG_15" / "2").write_text("below pg_tblspc")
    if carrier == "wal-g":
        (data / "pg_tblspc" / "7").symlink_to(fetched)
    else:
        (data / "tablespace_map").write_text(f"8 /out\\\nside\n7 {tmp_path}/a/b\n")
    inner_tablespaces.gather(tmp_path, data, backup, carrier)
    inner_tablespaces.place(tmp_path, data, backup, carrier)
    assert {path.name: path.read_text() for path in (data / "a" / "b" / "PG_15").iterdir()} == {
        "1": "in the directory",
        "2": "below pg_tblspc",
    }
    if carrier == "wal-g":
        assert (data / "pg_tblspc" / "7").readlink() == tmp_path / "a" / "b"
    else:
        assert (data / "tablespace_map").read_text() == f"8 /out\\\nside\n7 {tmp_path}/a/b\n"


def test_files_of_tablespaces_that_are_missing(tmp_path: Path) -> None:
    """By every name: of one in the data directory, in another's directory, outside, in pg_wal."""
    out, tmp_path = tmp_path / "out", tmp_path / "home"
    tmp_path.mkdir()
    data = staging.begin(tmp_path, None)
    backup = _backup(
        *(("1", "/src/data/a/b"), ("2", "/src/data/a"), ("3", str(out)), ("4", "/src/data/a b/ü")),
        *(("5", "/src/data/pg_wal/t"), ("6", "/src/data/a/bc")),
    )
    found = {
        *("a/PG_15/5/1", "a/b/PG_15/5/2", "a b/ü/PG_15/5/4", "pg_wal/t/PG_15/5/5"),
        *("a/bc/PG_15/5/6", "base/1"),
    }
    for name in found:
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).touch()
    (out / "PG_15" / "5").mkdir(parents=True)
    (out / "PG_15" / "5" / "3").touch()
    for _, place in inner_tablespaces.fetched_to(tmp_path, backup, "wal-g"):
        Path(place).mkdir(parents=True, exist_ok=True)
    listed = [
        *found,
        "a",
        "a/b",
        "pg_tblspc/1",
        "pg_tblspc/3/PG_15/5/3",
        "pg_tblspc/2/b/PG_15/5/2",
        "pg_tblspc/1/PG_15/5/2",
    ]
    inner_tablespaces.gather(tmp_path, data, backup, "wal-g")
    assert inner_tablespaces.absent(tmp_path, data, backup, "wal-g", listed) == []
    assert inner_tablespaces.empty(tmp_path, data, backup, "wal-g") == []
    assert inner_tablespaces.absent(
        tmp_path,
        data,
        backup,
        "wal-g",
        ["a/b/PG_15/5/9", "pg_wal/t/PG_15/5/9", "pg_tblspc/3/PG_15/5/9", "base/2"],
    ) == ["pg_tblspc/2/b/PG_15/5/9", "pg_tblspc/5/PG_15/5/9", "pg_tblspc/3/PG_15/5/9", "base/2"]
    shutil.rmtree(out)
    shutil.rmtree(tmp_path / staging.STAGE / "spaces" / "2" / "bc")
    assert inner_tablespaces.empty(tmp_path, data, backup, "wal-g") == [
        ("3", str(out)),
        ("6", "/src/data/a/bc"),
    ]
    inner_tablespaces.place(tmp_path, data, backup, "wal-g")
    assert all((data / name).is_file() for name in found - {"a/bc/PG_15/5/6"})


def test_nothing_is_put_behind_a_link(tmp_path: Path) -> None:
    """It may lead to the directory of the server that runs."""
    data, other = staging.begin(tmp_path, None), tmp_path / "others"
    backup = _backup(("7", "/src/data/link/dir"))
    (other / "dir").mkdir(parents=True)
    (other / "dir" / "theirs").touch()
    data.mkdir()
    (data / "link").symlink_to(other)
    fetched = Path(dict(inner_tablespaces.fetched_to(tmp_path, backup, "wal-g"))["7"])
    fetched.mkdir(parents=True)
    inner_tablespaces.gather(tmp_path, data, backup, "wal-g")
    with pytest.raises(ArchiveError, match="link/dir"):
        inner_tablespaces.place(tmp_path, data, backup, "wal-g")
    assert [path.name for path in (other / "dir").iterdir()] == ["theirs"]


def test_what_a_killed_fetch_has_left_beside_the_stage_is_its_own(tmp_path: Path) -> None:
    """The start is not refused, and the next one begins with an empty directory."""
    staging.begin(tmp_path, None)
    staging.remember_outside(tmp_path, [f"{tmp_path}/a/b", f"{tmp_path}-elsewhere/a"])
    (tmp_path / "a" / "b" / "PG_15").mkdir()
    assert look(tmp_path) == Staged(complete=False)
    staging.wipe(tmp_path)
    assert isinstance(look(tmp_path), Empty)
