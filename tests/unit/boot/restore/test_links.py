"""Links of a data directory after a restore: made again, or named; no rule is replaced."""

import os
from pathlib import Path

import pytest

from walsup.boot.existing_cluster import start_files
from walsup.boot.restore import links
from walsup.errors import ArchiveError
from walsup.postgres.backup_exclusions import LeftOut


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A copy in the stage of a data directory."""
    data = tmp_path / "pgdata/.walsup-stage/data"
    data.mkdir(parents=True)
    (data / "postgresql.conf").touch()
    (data / "pg_hba.conf").touch()
    return data


@pytest.fixture
def pgdata(tmp_path: Path) -> Path:
    """Where the copy is going to be."""
    return tmp_path / "pgdata"


def link(path: str, target: object, *, dangling: bool = False) -> LeftOut:
    """A link that was left out."""
    return LeftOut(path, "link", str(target), dangling)


def test_links_whose_targets_are_there_are_made_again(data: Path, pgdata: Path) -> None:
    """Absolute, relative, and into the directory itself, where the target is still to come."""
    (pgdata.parent / "etc").mkdir()
    (pgdata.parent / "etc/tls.crt").touch()
    left = (
        link("server.crt", pgdata.parent / "etc/tls.crt"),
        link("conf.d/x", "../../etc/tls.crt"),
        link("inside", "postgresql.conf"),
        LeftOut("pipe", "pipe"),
    )
    assert list(links.unmet(left, pgdata)) == []
    links.make(data, pgdata, left)
    assert (data / "server.crt").readlink() == pgdata.parent / "etc/tls.crt"
    assert str((data / "conf.d/x").readlink()) == "../../etc/tls.crt"
    assert str((data / "inside").readlink()) == "postgresql.conf"
    assert not (data / "pipe").exists()


def test_targets_that_are_not_here_are_named(pgdata: Path) -> None:
    """All of them; one that led nowhere at the source is no loss."""
    left = (
        link("pg_hba.conf", "/no/such/hba"),
        link("server.crt", "/no/such/crt"),
        link("stale", "/no/such/at/all", dangling=True),
    )
    (said,) = links.unmet(left, pgdata)
    assert "pg_hba.conf (a link to /no/such/hba)" in said
    assert "server.crt (a link to /no/such/crt)" in said
    assert "stale" not in said
    assert list(links.unmet(None, pgdata)) == []


def test_data_is_never_linked_again(data: Path, pgdata: Path, tmp_path: Path) -> None:
    """The source would share its files."""
    left = (link("base/5", tmp_path),)
    (said,) = links.unmet(left, pgdata)
    assert "base/5 (a link to " in said
    links.make(data, pgdata, left)
    assert not os.path.lexists(data / "base/5")


def test_links_as_walg_restores_them_are_not_believed(data: Path, pgdata: Path) -> None:
    """It gives each the target `/` and its own path; another link is the engine's business."""
    (data / "pg_hba.conf").unlink()
    (data / "pg_hba.conf").symlink_to("/pg_hba.conf")
    (data / "conf.d").mkdir()
    (data / "conf.d/x").symlink_to("/conf.d/x")
    (data / "mine").symlink_to("/elsewhere")
    left = (link("pg_hba.conf", pgdata.parent),)
    links.make(data, pgdata, left)
    assert (data / "pg_hba.conf").readlink() == pgdata.parent
    assert not os.path.lexists(data / "conf.d/x")
    assert os.path.lexists(data / "mine")


def test_what_was_left_out_is_not_expected_of_a_copy() -> None:
    """WAL-G lists a pipe that it does not restore."""
    files = ("PG_VERSION", "pipe", "base/5/1")
    assert links.expected(files, (LeftOut("pipe", "pipe"),)) == ["PG_VERSION", "base/5/1"]
    assert links.expected(files, None) == ["PG_VERSION", "pipe", "base/5/1"]


def test_a_copy_without_rules_is_refused_unless_they_are_given(data: Path, pgdata: Path) -> None:
    """One that is made up might let in more than the source's."""
    (data / "pg_hba.conf").unlink()
    with pytest.raises(ArchiveError, match=r"has no pg_hba\.conf"):
        start_files.check(data, pgdata, ())
    start_files.check(data, pgdata, ("-c", "hba_file=/etc/rules"))
    (data / "postgresql.conf").unlink()  # as Debian has it
    start_files.check(data, pgdata, ())


@pytest.mark.parametrize("where", ["server.crt", "{pgdata}/server.crt"])
def test_files_for_tls_in_the_directory_are_named(data: Path, pgdata: Path, where: str) -> None:
    """Those that settings name, when TLS is on; what lies elsewhere is postgres's to say."""
    path = where.format(pgdata=pgdata)
    (data / "postgresql.conf").write_text(
        f"ssl = on\nssl_cert_file = '{path}'\nssl_key_file = '/elsewhere/key'\n"
    )
    with pytest.raises(ArchiveError, match=r"server\.crt \(ssl_cert_file\)"):
        start_files.check(data, pgdata, ())
    start_files.check(data, pgdata, ("-c", "ssl=off"))
    (data / "server.crt").touch()
    start_files.check(data, pgdata, ())


def test_a_key_that_was_roots_is_closed_to_others(data: Path, pgdata: Path) -> None:
    """Postgres allows 0640 to a key of root only, and the copy is the database's."""
    (data / "server.key").touch(mode=0o640)
    start_files.tighten(data, pgdata, ())
    assert (data / "server.key").stat().st_mode & 0o777 == 0o600
