"""How long the path of the run directory may be."""

from pathlib import Path

import pytest

from walsup.boot.existing_cluster.socket_directories import LONGEST_RUN_DIR_BYTES, check_length
from walsup.errors import SettingsError

_LONGEST_PATH_BYTES = 107  # unix(7): sun_path has 108 bytes with its final zero


@pytest.mark.parametrize("length", range(60, 108))
def test_every_accepted_run_directory_has_room_for_the_socket_of_a_base_backup(length: int) -> None:
    """The engine's sessions go through a socket in a folder of it, with the longest port."""
    directory = Path("/" + "r" * (length - 1))
    fits = len(f"{directory}/sessions/.s.PGSQL.65535") <= _LONGEST_PATH_BYTES
    try:
        check_length(directory, LONGEST_RUN_DIR_BYTES)
    except SettingsError:
        accepted = False
    else:
        accepted = True
    assert fits or not accepted


def test_the_usual_run_directories_are_accepted() -> None:
    """The limit is for long ones only."""
    check_length(Path("/run/walsup"), LONGEST_RUN_DIR_BYTES)
    check_length(Path("/var/lib/postgresql/data/pgdata/.walsup-run"), LONGEST_RUN_DIR_BYTES)
