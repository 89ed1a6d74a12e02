"""The page about odd settings names each one that walsup displaces."""

from pathlib import Path

from walsup.boot.existing_cluster import blocking_settings
from walsup.boot.new_cluster.temporary_settings import stage_settings
from walsup.postgres.sql import startup_settings
from walsup.postgres.sql.startup_settings import Purpose

PAGE = Path(__file__).parents[3] / "docs" / "odd-settings.md"
# docs/database-sessions.md has them: they are about meaning and secrecy, not about standing still.
ELSEWHERE = {"application_name", "search_path", "standard_conforming_strings"}


def test_every_setting_that_is_displaced_is_on_the_page() -> None:
    """With its whole name."""
    page = PAGE.read_text(encoding="utf-8")
    odd = {
        "pre_auth_delay": "1",
        "recovery_min_apply_delay": "9d",
        "recovery_end_command": "x",
        "archive_cleanup_command": "x",
        "max_standby_archive_delay": "-1",
        "max_standby_streaming_delay": "-1",
        "update_process_title": "off",
        "wal_receiver_timeout": "0",
        "wal_receiver_status_interval": "0",
        "wal_retrieve_retry_interval": "1d",
    }
    names = {
        *(name for choice in startup_settings.settings(Purpose.OWN, 18) for name in choice),
        *stage_settings(Path("/d"), Path("/s"), {"wal_level": "minimal"}, 16),
        *stage_settings(Path("/d"), Path("/s"), {}, 18),
        *blocking_settings.of_logins(odd),
        *blocking_settings.of_recovery(odd),
        *blocking_settings.of_standby(odd),
    }
    assert odd.keys() <= names
    assert not {name for name in names - ELSEWHERE if f"`{name}`" not in page}
