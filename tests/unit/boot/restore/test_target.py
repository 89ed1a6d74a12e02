"""How postgres is told where to end."""

import pytest

from walsup.boot.restore.target import Target, raised, recovery_settings, target
from walsup.settings import load

FROM = {"WALSUP_RESTORE_FROM": "s3://source/x", "AWS_REGION": "eu-1"}
OWN = {"WALSUP_ARCHIVE": "s3://own/x", "WALSUP_ON_EMPTY_PGDATA": "restore", "AWS_REGION": "eu-1"}
ALL = ("recovery_target", *(f"recovery_target_{k}" for k in ("time", "lsn", "xid", "name")))


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ({"WALSUP_RESTORE_TARGET_LSN": "0/5"}, "recovery_target_lsn", "0/5"),
        ({"WALSUP_RESTORE_TARGET_XID": "77"}, "recovery_target_xid", "77"),
        ({"WALSUP_RESTORE_TARGET_NAME": "here"}, "recovery_target_name", "here"),
        ({"WALSUP_RESTORE_TARGET_IMMEDIATE": "on"}, "recovery_target", "immediate"),
    ],
)
def test_one_target_is_given_and_all_others_are_taken_away(
    given: dict[str, str], name: str, value: str
) -> None:
    """In that order: what takes one away takes away any that was given before."""
    rendered = recovery_settings(target(load(FROM | given), own=False), 3, "target", "fetch")
    assert [key for key in rendered if key in ALL][-1] == name
    assert {key: rendered[key] for key in ALL} == {**dict.fromkeys(ALL, ""), name: value}
    assert rendered["recovery_target_timeline"] == "3"
    assert rendered["hot_standby"] == "off"


@pytest.mark.parametrize("ends", ["end", "quiet"])
@pytest.mark.rule("quiet-database")
def test_in_quiet_time_there_is_no_target(ends: str) -> None:
    """PostgreSQL would call it unreachable."""
    wanted = Target("time", "2026-01-01 00:00:00+00:00", action="pause")
    rendered = recovery_settings(wanted, 1, ends, "fetch")
    assert all(rendered[key] == "" for key in ALL)
    assert rendered["recovery_target_action"] == "promote"


@pytest.mark.rule("restore-source-once")
def test_a_target_speaks_of_the_source_it_was_set_for() -> None:
    """The own archive, restored later, goes to its end."""
    known = load(OWN | FROM | {"WALSUP_RESTORE_TARGET_LSN": "0/5"})
    assert target(known, own=False).kind == "lsn"
    assert target(known, own=True) == Target()
    alone = load(OWN | {"WALSUP_RESTORE_TARGET_LSN": "0/5"})
    assert target(alone, own=True).kind == "lsn"


def test_the_five_settings_are_raised_and_never_lowered() -> None:
    """To what the primary had; a default counts as what it is."""
    limits = {"max_connections": 200, "max_worker_processes": 8, "max_prepared_transactions": 5}
    effective = {"max_connections": "300", "max_prepared_transactions": "0"}
    assert raised(limits, effective) == {"max_prepared_transactions": "5"}
    assert raised(limits, {}) == {"max_connections": "200", "max_prepared_transactions": "5"}
