"""The operator's settings, where they name a data directory too."""

from pathlib import Path

import pytest

from walsup.boot.existing_cluster.directory_settings import operators_gucs
from walsup.errors import SettingsError


@pytest.fixture
def pgdata(tmp_path: Path) -> Path:
    """A directory with a file of each kind."""
    found = tmp_path / "data"
    found.mkdir()
    (found / "postgresql.conf").write_text("work_mem = 5MB\n")
    (found / "postgresql.auto.conf").write_text("port = 1234\n")
    return found


def named(pgdata: Path, directory: str) -> dict[str, str]:
    """The settings when a file elsewhere names this directory."""
    file = pgdata.parent / "my.conf"
    file.write_text(f"data_directory = '{directory}'\nwork_mem = 6MB\n")
    return operators_gucs(pgdata, ["-c", f"config_file={file}"])


def test_a_directory_of_the_same_name_is_nothing_to_displace(pgdata: Path) -> None:
    """However it is written."""
    (pgdata.parent / "link").symlink_to(pgdata)
    for directory in (
        str(pgdata),
        f"{pgdata}/",
        f"{pgdata.parent}/./data",
        f"{pgdata.parent}/link",
    ):
        assert "data_directory" not in named(pgdata, directory)
    assert "data_directory" not in operators_gucs(pgdata, [])
    assert "data_directory" not in operators_gucs(pgdata, ["-D", str(pgdata)])


def test_another_directory_is_displaced_and_its_alter_system_with_it(pgdata: Path) -> None:
    """PGDATA's counts."""
    other = pgdata.parent / "other"
    found = named(pgdata, str(other))
    assert found["data_directory"] == str(other)
    assert (found["port"], found["work_mem"]) == ("1234", "6MB")


def test_a_directory_with_a_database_is_not_passed_over(pgdata: Path) -> None:
    """It may be the one that is meant."""
    other = pgdata.parent / "other"
    other.mkdir()
    (other / "PG_VERSION").touch()
    with pytest.raises(SettingsError, match="holds a database"):
        named(pgdata, str(other))
    with pytest.raises(SettingsError, match="set PGDATA only"):
        operators_gucs(pgdata, ["-D", str(other)])
