"""Bitnami's names: what they mean, and when walsup's own win."""

from pathlib import Path

import pytest

from walsup.errors import ContractError
from walsup.settings import Settings, load, relevant
from walsup.system import default_pgdata

CHART = {
    "POSTGRESQL_PORT_NUMBER": "5433",
    "POSTGRESQL_VOLUME_DIR": "/bitnami/postgresql",
    "PGDATA": "/bitnami/postgresql/data",
    "POSTGRES_USER": "shop",
    "POSTGRES_PASSWORD": "of the shop",
    "POSTGRES_POSTGRES_PASSWORD": "of postgres",
    "POSTGRES_DATABASE": "orders",
    "POSTGRESQL_SHARED_PRELOAD_LIBRARIES": "pgaudit",
    "POSTGRESQL_SERVICE_HOST": "10.0.0.1",
    "POSTGRESQL_PORT": "tcp://10.0.0.1:5432",
}


def who(known: Settings) -> tuple[str | None, ...]:
    """Superuser and application's role, with their passwords, and the database."""
    superuser = (known.postgres_user, known.postgres_password)
    return (*superuser, known.app_user, known.app_password, known.postgres_db)


def test_the_superuser_s_password() -> None:
    """Without another name it is that of postgres; port, database and initdb's arguments too."""
    names = {
        "POSTGRESQL_PASSWORD": "p w",
        "POSTGRESQL_DATABASE": "d",
        "POSTGRESQL_PORT_NUMBER": "6",
    }
    known = load(
        names | {"POSTGRESQL_INITDB_ARGS": "--locale=C", "POSTGRESQL_INITDB_WAL_DIR": "/w"}
    )
    assert who(known) == ("postgres", "p w", None, None, "d")
    assert (known.pgport, known.postgres_initdb_args) == (6, "--locale=C")
    assert known.postgres_initdb_waldir == Path("/w")
    assert "POSTGRESQL_PASSWORD is used as POSTGRES_PASSWORD; set that instead" in known.foreign
    assert not any("p w" in note for note in known.foreign)


def test_another_name_is_no_superuser() -> None:
    """It owns the database; postgres has the password that is given for it, or none."""
    names = {"POSTGRESQL_USERNAME": "shop", "POSTGRESQL_PASSWORD": "s"}
    assert who(load(names)) == ("postgres", None, "shop", "s", None)
    more = names | {"POSTGRESQL_POSTGRES_PASSWORD": "p", "POSTGRESQL_DATABASE": "orders"}
    assert who(load(more)) == ("postgres", "p", "shop", "s", "orders")


def test_the_chart() -> None:
    """Its POSTGRES_USER is no superuser, and no name of it is taken for a misspelt one."""
    known = load(CHART)
    assert who(known) == ("postgres", "of postgres", "shop", "of the shop", "orders")
    assert known.pgdata == Path("/bitnami/postgresql/data")
    assert known.pgport == 5433
    assert known.warnings == ()
    said = "\n".join(known.foreign)
    assert "POSTGRESQL_SHARED_PRELOAD_LIBRARIES: pass PostgreSQL settings as arguments" in said
    assert "SERVICE" not in said
    assert "of the shop" not in said
    assert "of postgres" not in said
    without = {n: t for n, t in CHART.items() if n != "POSTGRES_POSTGRES_PASSWORD"}
    assert who(load(without)) == ("postgres", None, "shop", "of the shop", "orders")
    assert who(load(CHART | {"POSTGRES_USER": "postgres"}))[:3] == ("postgres", "of the shop", None)


def test_files(tmp_path: Path) -> None:
    """Each password may be a file; both forms are a fault, as with the official names."""
    for name in ("app", "super"):
        (tmp_path / name).write_text(f"{name}\n")
    names = {
        "POSTGRESQL_USERNAME": "shop",
        "POSTGRESQL_PASSWORD_FILE": str(tmp_path / "app"),
        "POSTGRESQL_POSTGRES_PASSWORD_FILE": str(tmp_path / "super"),
    }
    assert who(load(names)) == ("postgres", "super", "shop", "app", None)
    del names["POSTGRESQL_USERNAME"]
    assert who(load(names))[:2] == ("postgres", "app")
    charts = CHART | {"POSTGRES_PASSWORD": "", "POSTGRES_PASSWORD_FILE": str(tmp_path / "app")}
    assert who(load(charts))[:4] == ("postgres", "of postgres", "shop", "app")
    with pytest.raises(ContractError):
        load({"POSTGRES_PASSWORD": "x", "POSTGRES_PASSWORD_FILE": "y", "POSTGRESQL_PASSWORD": "z"})


def test_walsup_s_own_name_wins() -> None:
    """With a note."""
    known = load({"POSTGRESQL_PASSWORD": "theirs", "POSTGRES_PASSWORD": "ours"})
    assert known.postgres_password == "ours"
    assert "POSTGRESQL_PASSWORD is ignored: POSTGRES_PASSWORD is set" in known.foreign
    both = {"POSTGRES_USER": "chief", "POSTGRESQL_USERNAME": "shop", "POSTGRESQL_PASSWORD": "s"}
    assert load(both).postgres_user == "chief"
    assert load({"PGPORT": "7", "POSTGRESQL_PORT_NUMBER": "8"}).pgport == 7


def test_the_data_directory(tmp_path: Path) -> None:
    """Their variables name it, or their volume where one is mounted; PGDATA wins."""
    assert default_pgdata.chosen({"POSTGRESQL_VOLUME_DIR": "/v"}) == "/v/data"
    assert (
        default_pgdata.chosen({"POSTGRESQL_DATA_DIR": "/v/d", "POSTGRESQL_VOLUME_DIR": "/v"})
        == "/v/d"
    )
    assert default_pgdata.chosen({"POSTGRESQL_VOLUME_DIR": "/v", "PGDATA": "/mine"}) == "/mine"
    (tmp_path / "bitnami" / "postgresql").mkdir(parents=True)
    usual = {"PGDATA": default_pgdata.USUAL}
    assert default_pgdata.chosen(usual, str(tmp_path)) == "/bitnami/postgresql/data"


def test_a_standby_of_theirs_is_no_new_database() -> None:
    """An empty volume of one is never answered with an empty database."""
    names = {"POSTGRESQL_REPLICATION_MODE": "slave", "POSTGRESQL_MASTER_HOST": "orders"}
    known = load(names | {"POSTGRESQL_PASSWORD": "x"})
    assert known.no_new_cluster == "POSTGRESQL_REPLICATION_MODE=slave"
    assert any("set WALSUP_ROLE" in note for note in known.foreign)


def test_what_children_read_means_the_same() -> None:
    """The agent gets walsup's names."""
    again = load(relevant(CHART))
    assert who(again) == who(load(CHART))
    assert again.foreign == ()
