"""What is raised for a recovery, and for what one has left behind."""

from pathlib import Path

import pytest

from tests.unit.postgres.controlbytes import control_file, pgdata_with
from walsup.boot.restore import recovery_limits
from walsup.postgres.pg_control import DBState

_HAD = {"max_connections": 100, "max_prepared_transactions": 5}


def _pgdata(tmp_path: Path, state: DBState = DBState.SHUT_DOWN) -> Path:
    """A data directory whose pg_control says so."""
    return pgdata_with(tmp_path, control_file(state=state.value, limits=_HAD))


def test_a_recovery_has_what_its_wal_may_come_to(tmp_path: Path) -> None:
    """All of it where sessions are let in; else what prepared transactions need."""
    _pgdata(tmp_path)
    seen = {"max_connections": 300, "max_prepared_transactions": 9, "max_wal_senders": 8}
    assert recovery_limits.of_recovery(tmp_path, seen, {}, read_only=True) == {
        "max_connections": "300",
        "max_prepared_transactions": "9",
    }
    assert recovery_limits.of_recovery(tmp_path, seen, {}, read_only=False) == {
        "max_prepared_transactions": "9"
    }
    enough = {"max_prepared_transactions": "50"}
    assert recovery_limits.of_recovery(tmp_path, {}, enough, read_only=True) == {}


@pytest.mark.parametrize(
    ("state", "left", "raised"),
    [
        (DBState.SHUT_DOWN, False, False),
        (DBState.SHUT_DOWN, True, True),
        (DBState.IN_PRODUCTION, False, True),
    ],
)
def test_prepared_transactions_keep_no_database_from_starting(
    tmp_path: Path, state: DBState, *, left: bool, raised: bool
) -> None:
    """They are files after a checkpoint; after a crash they may be in the WAL alone."""
    _pgdata(tmp_path, state)
    (tmp_path / "pg_twophase").mkdir()
    if left:
        (tmp_path / "pg_twophase" / "000002E1").touch()
    wanted = {"max_prepared_transactions": "5"} if raised else {}
    assert recovery_limits.of_start(tmp_path, {"max_connections": "10"}) == wanted
    assert recovery_limits.of_start(tmp_path, {"max_prepared_transactions": "6"}) == {}
    (tmp_path / "global" / "pg_control").write_bytes(control_file(version=1100))
    assert recovery_limits.of_start(tmp_path, {}) == {}
