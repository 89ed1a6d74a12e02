"""What a base backup leaves out of a data directory, told by a walk of it."""

import os
import socket
from pathlib import Path

import pytest

from walsup.postgres.backup_exclusions import LeftOut, walk


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with the usual folders."""
    data = tmp_path / "data"
    for folder in ("base/5", "global", "pg_tblspc", "pg_wal", "pg_stat_tmp"):
        (data / folder).mkdir(parents=True)
    (data / "base/5/1").touch()
    (data / "postgresql.conf").touch()
    return data


def test_links_are_found_with_their_targets(data: Path, tmp_path: Path) -> None:
    """Absolute ones into the data directory become relative: it may be restored elsewhere."""
    (tmp_path / "tls.crt").touch()
    (data / "server.crt").symlink_to(tmp_path / "tls.crt")
    (data / "conf.d").mkdir()
    (data / "conf.d" / "inside").symlink_to(data / "postgresql.conf")
    (data / "stale").symlink_to("nowhere")
    (data / "base" / "6").symlink_to(tmp_path)
    found = walk(data)
    assert found == [
        LeftOut("base/6", "link", str(tmp_path)),
        LeftOut("conf.d/inside", "link", "../postgresql.conf"),
        LeftOut("server.crt", "link", str(tmp_path / "tls.crt")),
        LeftOut("stale", "link", "nowhere", dangling=True),
    ]
    assert [one.is_data for one in found] == [True, False, False, False]


def test_what_is_made_again_and_tablespaces_are_not_left_out(data: Path, tmp_path: Path) -> None:
    """The links of PostgreSQL's own; but a link in a tablespace is."""
    (data / "pg_wal").rmdir()
    (data / "pg_wal").symlink_to(tmp_path)
    (data / "pg_stat_tmp" / "x").symlink_to(tmp_path)
    (data / ".walsup-x").symlink_to(tmp_path)
    space = tmp_path / "space"
    space.mkdir()
    (data / "pg_tblspc" / "16384").symlink_to(space)
    assert walk(data) == []
    (space / "moved").symlink_to(tmp_path)
    (found,) = walk(data)
    assert found == LeftOut("pg_tblspc/16384/moved", "link", str(tmp_path))
    assert found.is_data


def test_special_files_and_odd_names_are_found(data: Path) -> None:
    """By their kinds; a name that is no UTF-8 is told in ASCII."""
    os.mkfifo(data / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(data / "sock"))
    (data / os.fsdecode(b"odd\xff")).touch()
    assert walk(data) == [
        LeftOut("odd\\xff", "name"),
        LeftOut("pipe", "pipe"),
        LeftOut("sock", "socket"),
    ]


def test_a_directory_that_vanishes_is_nothing(tmp_path: Path) -> None:
    """A database is dropped meanwhile."""
    assert walk(tmp_path / "gone") == []
