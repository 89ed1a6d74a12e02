"""What each session of walsup sets, by version and purpose."""

from pathlib import Path

import pytest

from walsup.postgres.sql import startup_settings
from walsup.postgres.sql.startup_settings import Purpose

MAJORS = (0, 11, 12, 13, 14, 15, 16, 17, 18)


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("major", MAJORS)
def test_b_every_session_searches_pg_catalog_first_and_temporary_objects_last(
    purpose: Purpose, major: int
) -> None:
    """Also those of a role that is no superuser."""
    for choice in startup_settings.settings(purpose, major):
        assert choice["search_path"] == "pg_catalog, pg_temp"
        assert ("event_triggers" in choice) <= (major >= 17)
        assert ("idle_session_timeout" in choice) == (major >= 14)
    most = startup_settings.settings(purpose, major)[0]
    assert most["session_replication_role"] == "replica"
    assert most.get("event_triggers", "off") == "off"


def test_b_a_look_into_other_databases_has_no_rights_of_a_superuser_and_writes_nothing() -> None:
    """Not even when the role may not become pg_monitor."""
    choices = startup_settings.settings(Purpose.LOOK, 17)
    assert [choice["role"] for choice in choices] == ["pg_monitor", "pg_monitor", "none"]
    assert {choice["default_transaction_read_only"] for choice in choices} == {"on"}


def test_b_a_session_for_secrets_has_no_second_choice() -> None:
    """What cannot be kept out of the log is not said."""
    (only,) = startup_settings.settings(Purpose.SECRET, 15)
    assert (only["log_min_messages"], only["log_min_error_statement"]) == ("panic", "panic")


@pytest.mark.parametrize(("text", "major"), [("15\n", 15), ("9.6\n", 9), ("", 0), (None, 0)])
def test_the_version_is_the_data_directorys(tmp_path: Path, text: str | None, major: int) -> None:
    """What does not say it is of none."""
    if text is not None:
        (tmp_path / "PG_VERSION").write_text(text)
    assert startup_settings.major_of(tmp_path) == major


def test_c_what_libpq_is_told_is_known_to_the_version() -> None:
    """A server rejects an option that it does not know."""
    assert "idle_session_timeout" not in startup_settings.options(13)
    assert "idle_session_timeout" not in startup_settings.options(0)
    assert "-cidle_session_timeout=0" in startup_settings.options(14)


@pytest.mark.parametrize("purpose", Purpose)
def test_c_every_session_displaces_what_ends_or_hinders_one(purpose: Purpose) -> None:
    """Also that of a role that is no superuser."""
    for choice in startup_settings.settings(purpose, 17):
        for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            assert choice[name] == "0"
        assert (choice["idle_session_timeout"], choice["transaction_timeout"]) == ("0", "0")
        assert (choice["exit_on_error"], choice["synchronous_commit"]) == ("off", "local")
