"""Directories for tablespaces that a replay creates."""

from pathlib import Path

import pytest

from tests.unit.postgres.controlbytes import control_file, pgdata_with
from walsup.postgres.tablespaces import locations

_VERSION = "PG_15_202209061"


@pytest.fixture
def pgdata(tmp_path: Path) -> Path:
    """A data directory as far as this goes."""
    made = tmp_path / "pgdata"
    (made / "pg_tblspc").mkdir(parents=True)
    (made / "PG_VERSION").write_text("15\n")
    return pgdata_with(made, control_file())


def _names(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


def test_one_that_is_absent_is_made_for_this_server_alone(pgdata: Path, tmp_path: Path) -> None:
    """With the version's directory, which keeps other servers away; again and again."""
    place = tmp_path / "a" / "b"
    assert locations.make_ready(pgdata, str(place)) == ""
    assert _names(place) == [_VERSION]
    assert locations.make_ready(pgdata, str(place)) == ""
    (place / _VERSION / "16384").mkdir()
    assert locations.make_ready(pgdata, str(place)) == ""


@pytest.mark.parametrize("database", ["16384", ""])
def test_another_servers_is_named(pgdata: Path, tmp_path: Path, database: str) -> None:
    """Also one without a database yet; what lies beside it does not matter."""
    empty, place = tmp_path / "empty", tmp_path / "theirs"
    for one in (empty, place):
        (one / "lost+found").mkdir(parents=True)
        (one / "PG_14_202107181").mkdir()
    assert locations.make_ready(pgdata, str(empty)) == ""
    (place / _VERSION / database).mkdir(parents=True)
    problem = locations.make_ready(pgdata, str(place))
    assert f"{place / _VERSION} holds the files of another server" in problem
    assert database in problem


def test_one_that_this_server_has_is_its_own(pgdata: Path, tmp_path: Path) -> None:
    """By its link, through another name, or by the map of a base backup."""
    place = tmp_path / "mine with\nodd \\name"
    (place / _VERSION / "5").mkdir(parents=True)
    (tmp_path / "alias").symlink_to(place)
    link = pgdata / "pg_tblspc" / "16385"
    link.symlink_to(place)
    assert locations.make_ready(pgdata, str(tmp_path / "alias")) == ""
    link.unlink()
    assert locations.make_ready(pgdata, str(place)) != ""
    escaped = str(place).replace("\\", "\\\\").replace("\n", "\\\n")
    (pgdata / "tablespace_map").write_text(f"16385 {escaped}\n")
    assert locations.make_ready(pgdata, str(place)) == ""


def test_what_was_made_and_is_another_servers_by_now(pgdata: Path, tmp_path: Path) -> None:
    """Dropped by the replay, then created by another: with the same inode, perhaps."""
    place = tmp_path / "shared"
    assert locations.make_ready(pgdata, str(place)) == ""
    (place / _VERSION).rmdir()
    (place / _VERSION).mkdir()
    assert locations.make_ready(pgdata, str(place)) != ""


def test_what_was_made_in_vain_is_removed(pgdata: Path, tmp_path: Path) -> None:
    """Otherwise postgres would say that it is in use; what is used, or another's, stays."""
    vain, used = tmp_path / "vain", tmp_path / "used"
    for place in (vain, used):
        assert locations.make_ready(pgdata, str(place)) == ""
    (pgdata / "pg_tblspc" / "16385").symlink_to(used)
    locations.let_go(pgdata)
    assert _names(vain) == []
    assert _names(used) == [_VERSION]
    assert not (pgdata / locations.FILE).exists()
    locations.let_go(pgdata)


def test_one_that_cannot_be_made_says_why(pgdata: Path, tmp_path: Path) -> None:
    """A file in its way; in-place tablespaces need no directory."""
    (tmp_path / "file").touch()
    assert "exists" in locations.make_ready(pgdata, str(tmp_path / "file"))
    assert locations.make_ready(pgdata, "") == ""
