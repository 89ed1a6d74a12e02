"""Tablespaces inside the data directory: which they are, and where their files go."""

from pathlib import Path

import pytest

from walsup.archive.catalog.listing import Backup
from walsup.boot import staging
from walsup.boot.existing_cluster import inner_tablespaces
from walsup.boot.inspect import look
from walsup.boot.plan import Empty, Staged


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
    """That of the copy which came with the data directory; links and map name the final one."""
    data = staging.begin(tmp_path, None)
    (data / "pg_tblspc").mkdir(parents=True)
    (data / "a" / "b" / "PG_15").mkdir(parents=True)
    (data / "a" / "b" / "old").touch()
    backup = _backup(("7", f"{tmp_path}/a/b"), ("8", "/out\nside"), data_dir=str(tmp_path))
    fetched = Path(dict(inner_tablespaces.fetched_to(tmp_path, backup, carrier))["7"])
    fetched.mkdir(parents=True)
    (fetched / "new").touch()
    if carrier == "wal-g":
        (data / "pg_tblspc" / "7").symlink_to(fetched)
    else:
        (data / "tablespace_map").write_text(f"8 /out\\\nside\n7 {tmp_path}/a/b\n")
    inner_tablespaces.place(tmp_path, data, backup, carrier)
    assert [path.name for path in (data / "a" / "b").iterdir()] == ["new"]
    if carrier == "wal-g":
        assert (data / "pg_tblspc" / "7").readlink() == tmp_path / "a" / "b"
    else:
        assert (data / "tablespace_map").read_text() == f"8 /out\\\nside\n7 {tmp_path}/a/b\n"


def test_what_a_killed_fetch_has_left_beside_the_stage_is_its_own(tmp_path: Path) -> None:
    """The start is not refused, and the next one begins with an empty directory."""
    staging.begin(tmp_path, None)
    (tmp_path / "a" / "b" / "PG_15").mkdir(parents=True)
    staging.remember_outside(tmp_path, [f"{tmp_path}/a/b", "/elsewhere/a"])
    assert look(tmp_path) == Staged(complete=False)
    staging.wipe(tmp_path)
    assert isinstance(look(tmp_path), Empty)
