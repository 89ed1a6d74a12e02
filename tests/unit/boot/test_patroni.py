"""What Patroni's settings lack here, without a server."""

from pathlib import Path

import pytest

from walsup.boot.patroni import instead
from walsup.settings import load


@pytest.fixture
def postgres(tmp_path: Path) -> str:
    """Programs with two libraries beside them."""
    for name in ("bin", "lib"):
        (tmp_path / name).mkdir()
    for name in ("plpgsql.so", "pg_stat_statements.so", "ours.so"):
        (tmp_path / "lib" / name).touch()
    return str(tmp_path / "bin" / "postgres")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("bg_mon,pg_stat_statements,set_user", "pg_stat_statements"),
        ('"pgextwlist", ours', "ours"),
        ("timescaledb", ""),
        ("pg_stat_statements,ours", None),
        # Not Spilo's own: postgres says that it is missing, rather than run without it.
        ("citus", None),
    ],
)
def test_libraries_of_spilo_that_are_not_here(
    tmp_path: Path, postgres: str, given: str, kept: str | None
) -> None:
    """The others stay, in their order."""
    known = load({"PGDATA": str(tmp_path)})
    found = instead({"shared_preload_libraries": given}, known, (), postgres, tmp_path)
    assert found == ([] if kept is None else ["-c", f"shared_preload_libraries={kept}"])


def test_where_libraries_are_is_not_known(tmp_path: Path) -> None:
    """Then nothing is taken away."""
    known = load({"PGDATA": str(tmp_path)})
    given = {"shared_preload_libraries": "bg_mon"}
    assert instead(given, known, (), str(tmp_path / "bin" / "postgres"), tmp_path) == []


def test_a_certificate_that_is_there_is_kept(tmp_path: Path, postgres: str) -> None:
    """Without one there is TLS all the same, or none where there is no openssl."""
    (tmp_path / "server.crt").touch()
    (tmp_path / "server.key").touch()
    known = load({"PGDATA": str(tmp_path)})
    assert instead({"ssl": "on"}, known, (), postgres, tmp_path) == []
    elsewhere = {"ssl": "on", "ssl_cert_file": "/run/certs/server.crt"}
    found = instead(elsewhere, known, (), postgres, tmp_path)
    assert found == ["-c", "ssl=off"] or f"ssl_cert_file={tmp_path}/server.crt" in found
