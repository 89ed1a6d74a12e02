"""Whose word counts about the libraries that a copy loads."""

import os
from pathlib import Path

import pytest

from walsup.boot import libraries
from walsup.errors import ProgramMissingError

NOWHERE = "shared_preload_libraries = 'there, \"nowhere\"'\n"


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """A copy, and a PostgreSQL with one library."""
    copy, bindir, folder = tmp_path / "copy", tmp_path / "bin", tmp_path / "lib"
    for each in (copy, bindir, folder):
        each.mkdir()
    (copy / "postgresql.conf").write_text(NOWHERE)
    (folder / "there.so").touch()
    (bindir / "pg_config").write_text(f"#!/bin/sh\necho {folder}\n")
    os.chmod(bindir / "pg_config", 0o755)  # noqa: PTH101, S103
    return copy, bindir


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("-D", "/the/place/to/be"),
        ("-c", "config_file=/the/place/to/be/postgresql.conf"),
        ("-c", "shared_preload_libraries=nowhere"),
    ],
)
def test_what_is_missing_is_named(places: tuple[Path, Path], arguments: tuple[str, ...]) -> None:
    """The copy's files count although it is not in its place yet."""
    with pytest.raises(ProgramMissingError) as refused:
        libraries.check(*places, arguments)
    assert "loads nowhere (shared_preload_libraries)" in str(refused.value)


def test_the_operator_says_otherwise(places: tuple[Path, Path], tmp_path: Path) -> None:
    """An argument, or a file of one's own, is what postgres will go by."""
    libraries.check(*places, ("-c", "shared_preload_libraries=there"))
    own = tmp_path / "own.conf"
    own.write_text("shared_preload_libraries = ''\n")
    libraries.check(*places, ("-c", f"config_file={own}"))


def test_another_path_of_libraries_is_not_judged(places: tuple[Path, Path]) -> None:
    """What is certainly absent is named all the same."""
    copy, _ = places
    (copy / "postgresql.conf").write_text(f"dynamic_library_path = '/opt/lib:$libdir'\n{NOWHERE}")
    libraries.check(*places, ())
    with pytest.raises(ProgramMissingError):
        libraries.check(*places, ("-c", "shared_preload_libraries=$libdir/nowhere"))


def test_what_spilo_adds_is_no_hindrance(places: tuple[Path, Path]) -> None:
    """It is left out at the start."""
    copy, _ = places
    (copy / "postgresql.conf").write_text("shared_preload_libraries = 'bg_mon,there,pg_mon'\n")
    with pytest.raises(ProgramMissingError):
        libraries.check(*places, ())
    (copy / "postgresql.base.conf").touch()
    libraries.check(*places, ())
