"""Which settings are displaced because something would stand still, and which are kept."""

import pytest

from walsup.boot.existing_cluster import blocking_settings


def test_settings_that_are_right_are_kept() -> None:
    """Those of a default server, and what an operator has chosen."""
    chosen = {
        "pre_auth_delay": "0",
        "recovery_min_apply_delay": "0s",
        "recovery_end_command": "",
        "max_standby_archive_delay": "5min",
        "max_standby_streaming_delay": "0",
        "update_process_title": "true",
        "wal_receiver_timeout": "30",
        "wal_receiver_status_interval": "1",
        "wal_retrieve_retry_interval": "60000",
    }
    for effective in ({}, chosen):
        assert not blocking_settings.of_logins(effective)
        assert not blocking_settings.of_recovery(effective)
        assert not blocking_settings.of_standby(effective)


@pytest.mark.parametrize("zero", ["0", "0ms", " 0 s", "0.0"])
def test_no_time_limit_for_a_dead_primary_is_displaced(zero: str) -> None:
    """However it is written."""
    effective = {"wal_receiver_timeout": zero, "wal_receiver_status_interval": zero}
    assert blocking_settings.of_standby(effective) == {
        "wal_receiver_timeout": "60s",
        "wal_receiver_status_interval": "10s",
    }


def test_a_standby_looks_into_the_archive_each_minute_at_the_least() -> None:
    """A number without a unit is of milliseconds."""
    for text, rendered in (("60001", True), ("61s", True), ("1min", False), ("5000", False)):
        found = blocking_settings.of_standby({"wal_retrieve_retry_interval": text})
        assert bool(found) == rendered


def test_a_restore_waits_for_nothing() -> None:
    """Neither for a time, nor for a reader, nor for a command of another server."""
    assert blocking_settings.of_recovery(
        {
            "recovery_min_apply_delay": "5",
            "recovery_end_command": "x",
            "archive_cleanup_command": "y",
            "max_standby_streaming_delay": "-1",
            "update_process_title": "off",
        }
    ) == {
        "recovery_min_apply_delay": "0",
        "recovery_end_command": "",
        "archive_cleanup_command": "",
        "max_standby_streaming_delay": "30s",
        "update_process_title": "on",
    }


def test_what_postgres_rejects_is_left_to_it() -> None:
    """It says so itself."""
    odd = dict.fromkeys(("wal_receiver_timeout", "update_process_title", "pre_auth_delay"), "much")
    assert not blocking_settings.of_standby(odd)
    assert not blocking_settings.of_logins(odd)
