"""What a data directory is, on a real one that is spoilt in every way."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.harness import Machine
from walsup.boot import staging
from walsup.boot.inspect import binaries_major, look, program
from walsup.boot.plan import Broken, Cluster, Empty, Staged
from walsup.errors import DataDirectoryError
from walsup.postgres import pg_control


def broken(pgdata: Path, *, config_elsewhere: bool = False) -> str:
    """The text of the refusal."""
    found = look(pgdata, config_elsewhere=config_elsewhere)
    assert isinstance(found, Broken)
    assert isinstance(found.error, DataDirectoryError)
    return str(found.error)


def test_real_cluster(cluster: Path, machine: Machine) -> None:
    """What initdb made is a cluster, with its major version and its identity."""
    assert look(cluster) == Cluster(major=machine.major, control=pg_control.read(cluster))


@pytest.mark.parametrize("names", [(), ("lost+found",), (".snapshot", ".walsup-instance")])
@pytest.mark.rule("stage")
def test_empty(tmp_path: Path, names: tuple[str, ...]) -> None:
    """What a file system or walsup puts there does not count."""
    for name in names:
        (tmp_path / name).mkdir()
    assert isinstance(look(tmp_path), Empty)


@pytest.mark.parametrize("name", [".hidden", "file", "pg_wal", "base", "lost+found2"])
@pytest.mark.rule("stage")
def test_anything_else_is_foreign(tmp_path: Path, name: str) -> None:
    """Nothing is made beside files that we do not know; they are named."""
    (tmp_path / name).mkdir()
    assert name in broken(tmp_path)
    staging.begin(tmp_path, None)
    assert name in broken(tmp_path)


def test_many_foreign_files_are_not_all_named(tmp_path: Path) -> None:
    """A message stays a message."""
    for number in range(40):
        (tmp_path / f"file-{number}").touch()
    assert ", and 35 more" in broken(tmp_path)


@pytest.mark.rule("stage")
def test_a_mount_inside_is_named() -> None:
    """A mount point cannot be moved over, so it is refused by name."""
    said = broken(Path("/"))
    assert "mount point" in said
    assert "/proc" in said or "/dev" in said or "/sys" in said or "/etc" in said


@pytest.mark.parametrize("name", ["base", "global", "pg_wal", "pg_xact"])
def test_half_a_cluster(pgdata: Path, name: str) -> None:
    """A directory that lacks what postgres needs is refused with what it lacks."""
    path = pgdata / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert f"no {name}" in broken(pgdata)


def test_a_directory_without_configuration_is_intact(cluster: Path, tmp_path: Path) -> None:
    """Bitnami and Debian keep it elsewhere; what lacks more than that is incomplete."""
    pgdata = shutil.copytree(cluster, tmp_path / "data", symlinks=True)
    for path in pgdata.glob("*.conf"):
        path.unlink()
    assert isinstance(look(pgdata), Cluster)
    (pgdata / "pg_multixact" / "members").rename(tmp_path / "members")
    assert "no postgresql.conf, pg_multixact/members" in broken(pgdata)
    (tmp_path / "members").rename(pgdata / "pg_multixact" / "members")
    for path in (pgdata / "pg_wal").glob("0*"):
        path.unlink()
    assert "pg_wal/000000010000000000000001: it is incomplete" in broken(pgdata)
    (pgdata / "postgresql.conf").symlink_to("/nowhere/postgresql.conf")
    assert "mount the volume" in broken(pgdata)


def test_a_database_one_level_below_is_named(cluster: Path, tmp_path: Path) -> None:
    """As CloudNativePG and others have it: PGDATA is what has to be set."""
    (tmp_path / "pgdata").symlink_to(cluster)
    (tmp_path / "lost+found").mkdir()
    assert f"HINT: set PGDATA={tmp_path}/pgdata" in broken(tmp_path)


def test_configuration_elsewhere(pgdata: Path) -> None:
    """With config_file set, as on Debian, postgresql.conf need not be here."""
    (pgdata / "postgresql.conf").unlink()
    assert isinstance(look(pgdata, config_elsewhere=True), Cluster)


def test_wal_volume_is_not_mounted(pgdata: Path, tmp_path: Path) -> None:
    """A pg_wal that leads nowhere, or to an empty mount point, asks for the volume."""
    (pgdata / "pg_wal").rename(tmp_path / "wal")
    (pgdata / "pg_wal").symlink_to(tmp_path / "wal")
    assert isinstance(look(pgdata), Cluster)
    (tmp_path / "wal").rename(tmp_path / "away")
    assert "mount the volume" in broken(pgdata)
    (tmp_path / "wal").mkdir()
    assert "which is empty" in broken(pgdata)
    (pgdata / "recovery.signal").touch()
    assert isinstance(look(pgdata), Cluster)


@pytest.mark.parametrize("content", ["", "fifteen", "15; rm", "²"])
def test_version_that_is_none(pgdata: Path, content: str) -> None:
    """What stands in PG_VERSION is shown."""
    (pgdata / "PG_VERSION").write_text(content)
    assert "is not a version" in broken(pgdata)


def test_other_major_whose_files_we_cannot_read(pgdata: Path) -> None:
    """The version is known even if nothing else is, so that the refusal can name both."""
    (pgdata / "PG_VERSION").write_text("31\n")
    (pgdata / "global" / "pg_control").write_bytes(b"of the future")
    found = look(pgdata)
    assert isinstance(found, Broken)
    assert found.major == "31"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b"\0" * 8192),
        lambda path: path.write_bytes(path.read_bytes()[:100]),
        lambda path: path.write_bytes(b"x" + path.read_bytes()[1:]),
        lambda path: path.unlink(),
    ],
)
def test_damaged_pg_control(pgdata: Path, spoil: Callable[[Path], object]) -> None:
    """A damaged pg_control is no cluster, and the hint leads to the archive."""
    spoil(pgdata / "global" / "pg_control")
    assert "estore from the archive" in broken(pgdata)


def test_stages(tmp_path: Path, cluster: Path, machine: Machine) -> None:
    """A stage is cut off, complete, being moved, or lost, in this order."""
    staging.begin(tmp_path, None)
    assert look(tmp_path) == Staged(complete=False)
    data = tmp_path / staging.STAGE / staging.DATA
    shutil.copytree(cluster, data)
    assert look(tmp_path) == Staged(complete=False)
    staging.complete(tmp_path)
    assert look(tmp_path) == Staged(complete=True, major=machine.major)
    for name in ("PG_VERSION", "base"):
        (data / name).rename(tmp_path / name)
    assert look(tmp_path) == Staged(complete=True, major=machine.major)
    shutil.rmtree(data)
    assert "lost its files" in broken(tmp_path)


def test_cluster_wins_over_a_stage_beside_it(pgdata: Path) -> None:
    """With `global` in its place the move has ended."""
    staging.begin(pgdata, None)
    assert isinstance(look(pgdata), Cluster)


def test_programs(tmp_path: Path, machine: Machine) -> None:
    """PG_BINDIR decides, then PATH; what is not executable is still tried, to say 126."""
    assert program("postgres", tmp_path, "") == f"{tmp_path}/postgres"
    assert program("postgres", None, str(machine.bindir)) == f"{machine.bindir}/postgres"
    (tmp_path / "postgres").touch(mode=0o644)
    assert program("postgres", None, f"/nowhere::{tmp_path}") == f"{tmp_path}/postgres"
    assert program("postgres", None, "/nowhere") == "/usr/bin/postgres"


def test_major_of_the_programs(tmp_path: Path, machine: Machine) -> None:
    """The path tells it, else pg_config; neither is no answer."""
    assert binaries_major(str(machine.bindir / "postgres")) == machine.major
    link = tmp_path / "link"
    link.symlink_to(machine.bindir)
    assert binaries_major(str(link / "postgres")) == machine.major
    assert binaries_major("/usr/pgsql-17/bin/postgres") == "17"
    assert binaries_major("/srv/postgres/2/bin/postgres") is None
    assert binaries_major(str(tmp_path / "postgres")) is None


@pytest.mark.parametrize(
    ("script", "major"),
    [
        ("#!/bin/sh\necho 'PostgreSQL 16.3 (Debian)'", "16"),
        ("#!/bin/sh\necho no", None),
        ("#!/bin/sh\nexit 1", None),
        ("#!/does/not/exist", None),
        ("\x7fELF, but not quite", None),
    ],
)
def test_pg_config_of_any_kind(tmp_path: Path, script: str, major: str | None) -> None:
    """A pg_config that fails is no reason not to start."""
    (tmp_path / "pg_config").write_text(script)
    os.chmod(tmp_path / "pg_config", 0o755)  # noqa: PTH101, S103 (a program)
    assert binaries_major(str(tmp_path / "postgres")) == major
