"""What is looked at before a new cluster is begun."""

from pathlib import Path

import pytest

from walsup.boot.new_cluster.preconditions import hindrance
from walsup.errors import DataDirectoryError, SettingsError
from walsup.settings import load


def test_an_empty_directory_is_no_hindrance(tmp_path: Path) -> None:
    """Without the image's guard nobody asks what it lies on."""
    assert hindrance(load({"PGDATA": str(tmp_path)}), {"KUBERNETES_SERVICE_HOST": "x"}) is None


@pytest.mark.rule("empty-means-listed")
def test_a_restore_that_is_asked_for_is_named_with_the_way_out(tmp_path: Path) -> None:
    """The hint names the variable to remove."""
    error = hindrance(load({"PGDATA": str(tmp_path), "RESTORE": "true"}), {})
    assert isinstance(error, SettingsError)
    assert "RESTORE=true" in error.problem
    assert error.hint.endswith("remove RESTORE")


@pytest.mark.parametrize("place", ["data", "17/docker", "."])
def test_old_data_is_named(tmp_path: Path, place: str) -> None:
    """Where images before 18, or of another major, keep it."""
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    (tmp_path / place / "PG_VERSION").write_text("17\n")
    fresh = tmp_path / "18" / "docker"
    fresh.mkdir(parents=True)
    error = hindrance(load({"PGDATA": str(fresh)}), {})
    assert isinstance(error, DataDirectoryError)
    assert str((tmp_path / place).resolve()) in error.problem
    assert str(tmp_path) in error.hint


def test_data_elsewhere_is_only_looked_for_in_that_layout(tmp_path: Path) -> None:
    """Two directories beside each other mean nothing."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "PG_VERSION").write_text("17\n")
    fresh = tmp_path / "18" / "mine"
    fresh.mkdir(parents=True)
    assert hindrance(load({"PGDATA": str(fresh)}), {}) is None
