"""Locks on the directories of tablespaces: whoever comes second sees it."""

from pathlib import Path

import pytest

from tests.unit.postgres.controlbytes import control_file, pgdata_with
from walsup.agent.recovery.tablespace_directories import TablespaceLocks


@pytest.fixture(autouse=True)
def _pgdata(tmp_path: Path) -> None:
    (pgdata_with(tmp_path, control_file()) / "PG_VERSION").write_text("15\n")


def test_the_second_sees_what_the_first_holds(tmp_path: Path) -> None:
    """Under any name of the directory, until the first lets go, or has dropped it."""
    place, alias = tmp_path / "place", tmp_path / "alias"
    (place / "PG_15_202209061").mkdir(parents=True)
    alias.symlink_to(place)
    first, second = TablespaceLocks(tmp_path), TablespaceLocks(tmp_path)
    assert first.hold([("1", place)]) == first.hold([("1", place)]) == []
    assert second.hold([("2", alias)]) == [("2", alias)]
    assert first.hold([]) == []
    assert second.hold([("2", alias)]) == []
    assert first.hold([("1", place)]) == [("1", place)]
    second.release()
    assert first.hold([("1", place)]) == []


def test_what_is_not_there_is_nobodys(tmp_path: Path) -> None:
    """A volume that is not mounted is postgres's to complain of."""
    assert TablespaceLocks(tmp_path).hold([("1", tmp_path / "gone")]) == []
