"""What is raised for a recovery, and for what one has left behind."""

from pathlib import Path
from typing import Any

import pytest

from walsup.boot import limits
from walsup.postgres import control
from walsup.postgres.control import ControlData, DBState

_HAD = {"max_connections": 100, "max_prepared_transactions": 5}


@pytest.fixture
def had(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What pg_control says; may be changed."""
    fields: dict[str, Any] = {
        "system_id": 1,
        "control_version": 1300,
        "catalog_version": 1,
        "checkpoint_lsn": 0,
        "redo_lsn": 0,
        "timeline": 1,
        "segment_size": 1 << 24,
        "state": DBState.SHUT_DOWN,
        "limits": tuple(_HAD.items()),
    }
    monkeypatch.setattr(control, "read", lambda _: ControlData(**fields))
    return fields


@pytest.mark.usefixtures("had")
def test_a_recovery_has_what_its_wal_may_come_to(tmp_path: Path) -> None:
    """All of it where sessions are let in; else what prepared transactions need."""
    seen = {"max_connections": 300, "max_prepared_transactions": 9, "max_wal_senders": 8}
    assert limits.of_recovery(tmp_path, seen, {}, read_only=True) == {
        "max_connections": "300",
        "max_prepared_transactions": "9",
    }
    assert limits.of_recovery(tmp_path, seen, {}, read_only=False) == {
        "max_prepared_transactions": "9"
    }
    enough = {"max_prepared_transactions": "50"}
    assert limits.of_recovery(tmp_path, {}, enough, read_only=True) == {}


@pytest.mark.parametrize(
    ("state", "left", "raised"),
    [
        (DBState.SHUT_DOWN, False, False),
        (DBState.SHUT_DOWN, True, True),
        (DBState.IN_PRODUCTION, False, True),
    ],
)
def test_prepared_transactions_keep_no_database_from_starting(
    tmp_path: Path, had: dict[str, Any], state: DBState, *, left: bool, raised: bool
) -> None:
    """They are files after a checkpoint; after a crash they may be in the WAL alone."""
    had["state"] = state
    (tmp_path / "pg_twophase").mkdir()
    if left:
        (tmp_path / "pg_twophase" / "000002E1").touch()
    wanted = {"max_prepared_transactions": "5"} if raised else {}
    assert limits.of_start(tmp_path, {"max_connections": "10"}) == wanted
    assert limits.of_start(tmp_path, {"max_prepared_transactions": "6"}) == {}
    had["limits"] = ()
    assert limits.of_start(tmp_path, {}) == {}
