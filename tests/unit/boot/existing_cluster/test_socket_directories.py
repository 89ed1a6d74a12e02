"""Which directories of unix sockets postgres gets."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walsup.boot.existing_cluster.socket_directories import Sockets, choose, permissions, split
from walsup.errors import SettingsError
from walsup.settings import load

_MAJOR = 15


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A short path: the one of a socket has room for 107 characters."""
    folder = Path(mkdtemp(prefix="walsup-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


def found(
    tmp_path: Path, listed: str, *, argument: bool = False, major: int = _MAJOR, engine: str = ""
) -> Sockets:
    """The sockets of a server whose own directory is tmp_path/own."""
    (tmp_path / "own").mkdir(exist_ok=True)
    environ = {"PGDATA": str(tmp_path / "data"), "WALSUP_SOCKET_DIR": str(tmp_path / "own")}
    return choose(load(environ), listed, tmp_path, major, argument=argument, engine=engine)


@pytest.mark.parametrize(
    ("listed", "directories"),
    [
        ("", []),
        ("  ", []),
        ("/a", ["/a"]),
        (" /a , /b c ", ["/a", "/b c"]),
        ('"/a,b", /c', ["/a,b", "/c"]),
        ('"/a""b"', ['/a"b']),
        ("@x,sock", ["@x", "sock"]),
    ],
)
def test_a_list_is_read_as_postgresql_reads_it(listed: str, directories: list[str]) -> None:
    """Source: varlena.c, SplitDirectoriesString."""
    assert split(listed) == directories


@pytest.mark.parametrize("listed", [",", "/a,", ",/a", "/a,,/b", '"/a', '"/a" /b', '""'])
def test_a_list_that_postgresql_rejects(listed: str) -> None:
    """The setting is named, with its text."""
    with pytest.raises(ValueError, match=r"empty name|quot"):
        split(listed)


@given(st.lists(st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1)))
def test_quoted_directories_are_read_back(names: list[str]) -> None:
    """Whatever is in them, but for blanks alone."""
    names = [stripped for name in names if (stripped := name.strip(" \t\n\r\f\v"))]
    assert split(",".join('"' + name.replace('"', '""') + '"' for name in names)) == names


def test_own_comes_first_and_each_only_once(tmp_path: Path) -> None:
    """postmaster.pid names the first, and a second lock file in one directory is in the way."""
    (tmp_path / "link").symlink_to(tmp_path / "own")
    (tmp_path / "there").mkdir()
    listed = f"{tmp_path}/there,{tmp_path}/link,{tmp_path}/there/,@x"
    assert found(tmp_path, listed).directories == (f"{tmp_path}/own", f"{tmp_path}/there", "@x")
    assert found(tmp_path, "").directories == (f"{tmp_path}/own",)


def test_an_absent_directory_is_made_where_it_can_be(tmp_path: Path) -> None:
    """As /var/run/postgresql of the official image is, and for this user alone."""
    assert f"{tmp_path}/made" in found(tmp_path, f"{tmp_path}/made").directories
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("directory", "reason"),
    [
        ("sock", "is inside the data directory"),
        (".", "is inside the data directory"),
        ("/nowhere/at/all", "does not exist and cannot be created: No such file"),
        ("/proc/sys", "is not writable"),
        ("/etc/hostname", "is not a directory"),
        ("/tmp/" + "x" * 90, "too long"),
    ],
)
def test_what_cannot_be_used(tmp_path: Path, directory: str, reason: str) -> None:
    """Left out when a file of the volume names it, rejected by name when an argument does."""
    if directory == "/proc/sys" and os.geteuid() == 0:
        pytest.skip("root may write everywhere, as far as access(2) knows")
    seen = found(tmp_path, f"{directory},{tmp_path}", engine="wal-g")
    assert seen.directories == (f"{tmp_path}/own", str(tmp_path))
    assert [one.directory for one in seen.left_out] == [directory]
    assert reason in seen.left_out[0].reason
    with pytest.raises(SettingsError, match=reason) as refusal:
        found(tmp_path, directory, argument=True, engine="wal-g")
    assert "unix_socket_directories" in str(refusal.value)


@pytest.mark.parametrize("taking", ["walrus", ""])
def test_the_data_directory_may_hold_sockets_that_no_engine_meets(
    tmp_path: Path, taking: str
) -> None:
    """WAL-RUS leaves them out, and without an archive there is no base backup."""
    (tmp_path / "data").mkdir()
    for directory in (".", "sock"):
        wanted = (f"{tmp_path}/own", str(tmp_path / "data" / directory))
        assert found(tmp_path, directory, argument=True, engine=taking).directories == wanted


def test_an_own_directory_in_the_data_directory_is_rejected_with_wal_g(tmp_path: Path) -> None:
    """By the name of its setting."""
    environ = {"PGDATA": str(tmp_path), "WALSUP_SOCKET_DIR": f"{tmp_path}/own"}
    with pytest.raises(
        SettingsError, match=r"WALSUP_SOCKET_DIR: .* makes each base backup of wal-g fail"
    ):
        choose(load(environ), "", tmp_path, _MAJOR, engine="wal-g")


def test_abstract_sockets_need_a_version_that_has_them(tmp_path: Path) -> None:
    """Before 14 it would be a directory with such a name."""
    assert found(tmp_path, "@x").directories[1:] == ("@x",)
    assert found(tmp_path, "@x", major=13).left_out[0].directory == "@x"


def test_a_relative_directory_outside_is_made_absolute(tmp_path: Path) -> None:
    """postgres is in its data directory when it reads it; a client is not."""
    (tmp_path / "data").mkdir()
    assert os.path.realpath(found(tmp_path, "../sock").directories[1]) == f"{tmp_path}/sock"


def test_an_own_directory_that_cannot_be_used_is_rejected(tmp_path: Path) -> None:
    """By the name of its setting."""
    environ = {"PGDATA": str(tmp_path), "WALSUP_SOCKET_DIR": "/nowhere/at/all"}
    with pytest.raises(SettingsError, match=r"WALSUP_SOCKET_DIR: /nowhere/at/all does not exist"):
        choose(load(environ), "", tmp_path, _MAJOR)


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        *(("0777", None), ("0700", None), ("511", None), ("0x1ff", None), ("none", None)),
        *(("0070", "0270"), ("0", "0200"), ("0000", "0200"), ("0577", "0777")),
    ],
)
def test_permissions_never_lock_out_postgres_s_own_user(text: str, mode: str | None) -> None:
    """Agent and engine connect as that user."""
    expected = {} if mode is None else {"unix_socket_permissions": mode}
    assert permissions({"unix_socket_permissions": text}) == expected
