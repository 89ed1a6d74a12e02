"""What another program's recovery has left is named before postgres ends because of it."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.unit.datadir.test_restore_state import control_file
from walsup.boot.existing_cluster import leftover_recovery
from walsup.errors import DataDirectoryError, SettingsError
from walsup.postgres.pg_control import DBState

EMPTIED = {"restore_command": ""}


def look(pgdata: Path, found: Mapping[str, str], ours: Mapping[str, str], major: int = 15) -> None:
    """As prepare does for a primary."""
    leftover_recovery.check(pgdata, major, found, ours, follows=False)


def test_an_ordinary_directory_starts(tmp_path: Path) -> None:
    """An old restore_command alone harms nothing."""
    look(tmp_path, {"restore_command": "cp x %p", "recovery_target_time": "now"}, EMPTIED)


def test_a_standby_and_a_recovery_with_a_command_are_postgress_own(tmp_path: Path) -> None:
    """Without an archive the operator's restore_command counts; standby.signal wins."""
    (tmp_path / "recovery.signal").touch()
    look(tmp_path, {"restore_command": "cp x %p"}, {})
    (tmp_path / "standby.signal").touch()
    look(tmp_path, {}, EMPTIED)


@pytest.mark.parametrize("given", ["", "cp x %p"])
def test_recovery_signal_without_a_command_is_refused(tmp_path: Path, given: str) -> None:
    """Said with what to do, and whether a command was set and does not count."""
    (tmp_path / "recovery.signal").touch()
    _control(tmp_path, DBState.SHUT_DOWN)
    with pytest.raises(DataDirectoryError) as raised:
        look(tmp_path, {"restore_command": given} if given else {}, EMPTIED)
    assert str(tmp_path / "recovery.signal") in raised.value.problem
    assert ("walsup ignores" in raised.value.problem) == bool(given)
    assert "remove recovery.signal" in raised.value.hint


def test_a_directory_in_recovery_is_not_called_complete(tmp_path: Path) -> None:
    """Without its file it would start in the middle of what was replayed."""
    (tmp_path / "recovery.signal").touch()
    _control(tmp_path, DBState.IN_ARCHIVE_RECOVERY)
    with pytest.raises(DataDirectoryError) as raised:
        look(tmp_path, {}, EMPTIED)
    assert "recovery of this database has not finished" in raised.value.problem
    assert "remove recovery.signal" not in raised.value.hint
    _control(tmp_path, DBState.SHUT_DOWN)
    (tmp_path / "backup_label").touch()
    with pytest.raises(DataDirectoryError) as raised:
        look(tmp_path, {}, EMPTIED)
    assert "remove recovery.signal" not in raised.value.hint


def test_an_old_recovery_conf_is_refused(tmp_path: Path) -> None:
    """From PostgreSQL 12 on; before, it is how a recovery is asked for."""
    (tmp_path / "recovery.conf").touch()
    look(tmp_path, {}, {}, major=11)
    with pytest.raises(DataDirectoryError, match=r"recovery\.conf"):
        look(tmp_path, {}, EMPTIED)


def test_two_recovery_targets_are_refused(tmp_path: Path) -> None:
    """Postgres ends at every start, whether it recovers or not."""
    with pytest.raises(SettingsError, match="recovery_target_time, recovery_target_xid"):
        look(tmp_path, {"recovery_target_time": "now", "recovery_target_xid": "7"}, {})


def _control(pgdata: Path, state: DBState) -> None:
    (pgdata / "global").mkdir(exist_ok=True)
    (pgdata / "global/pg_control").write_bytes(control_file(state))
