"""What the stage's server is started with, by version and by the operator's settings."""

from pathlib import Path

import pytest

from walsup.boot.new_cluster.temporary_settings import stage_settings

DATA, SOCKETS = Path("/pgdata/.walsup-stage/data"), Path('/run/of "us"')


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("db_user_namespace", 11, 16),
        ("idle_session_timeout", 14, 18),
        ("archive_library", 15, 18),
        ("transaction_timeout", 17, 18),
        ("statement_timeout", 11, 18),
    ],
)
def test_no_version_is_given_a_setting_that_it_does_not_know(
    name: str, first: int, last: int
) -> None:
    """It would not start."""
    having = [major for major in range(11, 19) if name in stage_settings(DATA, SOCKETS, {}, major)]
    assert having == list(range(first, last + 1))


def test_wal_level_is_raised_only_where_the_server_would_not_start() -> None:
    """A script may need more than that."""
    for level, rendered in (("minimal", "replica"), ("Minimal", "replica"), ("logical", None)):
        assert stage_settings(DATA, SOCKETS, {"wal_level": level}, 15).get("wal_level") == rendered
    assert "wal_level" not in stage_settings(DATA, SOCKETS, {}, 15)


def test_files_are_the_stages_and_the_socket_is_ours() -> None:
    """Whatever its path."""
    rendered = stage_settings(DATA, SOCKETS, {"hba_file": "/etc/hba"}, 15)
    assert rendered["hba_file"] == f"{DATA}/pg_hba.conf"
    assert rendered["unix_socket_directories"] == '"/run/of ""us"""'
