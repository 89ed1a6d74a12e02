"""The configuration of a cluster that keeps it elsewhere."""

import shutil
from pathlib import Path

import pytest

from walsup.boot.existing_cluster.external_config import MADE, complete
from walsup.errors import DataDirectoryError
from walsup.postgres import config
from walsup.settings import load


@pytest.fixture
def bare(cluster: Path, tmp_path: Path) -> Path:
    """A whole data directory without its configuration files."""
    (tmp_path / "postgresql").mkdir()
    pgdata = shutil.copytree(cluster, tmp_path / "postgresql" / "data", symlinks=True)
    for path in pgdata.glob("*.conf"):
        path.unlink()
    return pgdata


def rules(pgdata: Path) -> list[str]:
    """The lines of pg_hba.conf that say something."""
    lines = (pgdata / "pg_hba.conf").read_text().splitlines()
    return [line for line in lines if not line.startswith("#")]


def test_files_are_made_with_safe_rules(bare: Path) -> None:
    """Walsup's role over a socket that is this user's alone; all others with a password."""
    assert complete(load({"PGDATA": str(bare)}), (), "15") == ()
    assert rules(bare) == [
        'local all "postgres" trust',
        "local all all scram-sha-256",
        "host all all all scram-sha-256",
        'host replication "walsup_replication" all scram-sha-256',
    ]
    values = config.from_files(bare / "postgresql.conf", bare).values
    assert values["unix_socket_permissions"] == "0700"
    assert values["max_connections"] == "100"
    assert "max_prepared_transactions" in values
    # The next start finds them, and leaves them as they are.
    (bare / "pg_hba.conf").write_text("local all all peer\n")
    assert complete(load({"PGDATA": str(bare)}), (), "15") == ()
    assert rules(bare) == ["local all all peer"]


def test_rules_that_are_there_are_kept(bare: Path) -> None:
    """Only what is absent is made."""
    (bare / "pg_hba.conf").write_text("local all all peer\n")
    complete(load({"PGDATA": str(bare)}), (), "15")
    assert rules(bare) == ["local all all peer"]
    assert (bare / "postgresql.conf").read_text().startswith(MADE)


def test_what_bitnami_s_operator_has_mounted_is_used(bare: Path) -> None:
    """Beside the data directory; an access rule is never replaced by a weaker one."""
    conf = bare.parent / "conf"
    (conf / "conf.d").mkdir(parents=True)
    (conf / "postgresql.conf").write_text("work_mem = 7MB\n")
    (conf / "conf.d" / "it's.conf").write_text("work_mem = 9MB\nport = 6000\n")
    (conf / "pg_hba.conf").write_text("hostssl shop shop 10.0.0.0/8 md5\n")
    complete(load({"PGDATA": str(bare)}), (), "15")
    assert rules(bare) == ['local all "postgres" trust', "hostssl shop shop 10.0.0.0/8 md5"]
    values = config.from_files(bare / "postgresql.conf", bare).values
    assert (values["work_mem"], values["port"]) == ("9MB", "6000")


def test_debian_s_configuration_is_found(bare: Path, tmp_path: Path) -> None:
    """When it names this very directory; files of another cluster are not taken."""
    place = tmp_path / "etc" / "postgresql" / "15" / "main"
    place.mkdir(parents=True)
    (place / "postgresql.conf").write_text(f"data_directory = '{bare}'\n")
    known = load({"PGDATA": str(bare)})
    found = complete(known, (), "15", str(tmp_path))
    assert found == ("-c", f"config_file={place}/postgresql.conf")
    assert not (bare / "postgresql.conf").exists()
    assert complete(known, (), "16", str(tmp_path)) == ()


def test_nothing_is_made_where_more_is_lost(bare: Path) -> None:
    """Or where the operator names a file."""
    known = load({"PGDATA": str(bare)})
    assert complete(known, ("-c", "config_file=/etc/x.conf"), "15") == ()
    (bare / "pg_hba.conf").symlink_to("/nowhere/pg_hba.conf")
    with pytest.raises(DataDirectoryError, match="mount the volume"):
        complete(known, (), "15")
    (bare / "pg_hba.conf").unlink()
    shutil.rmtree(bare / "pg_tblspc")
    with pytest.raises(DataDirectoryError, match="pg_tblspc"):
        complete(known, (), "15")
    assert not list(bare.glob("*.conf"))
