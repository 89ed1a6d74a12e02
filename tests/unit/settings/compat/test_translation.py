"""The names of others: what they mean, what they are told, and what they forbid."""

import re
from pathlib import Path
from typing import Any

import pytest

from walsup.errors import SettingsError
from walsup.settings import ArchiveUrl, FileArchive, declared, load, relevant
from walsup.settings.compat import kubedb, spilo, translation
from walsup.settings.compat.detect import THEIR_NAMES
from walsup.system import default_pgdata

KUBEDB = {
    "ARCHIVE": "wal-g",
    "ARCHIVE_S3_PREFIX": "s3://b/kubedb/demo/orders/archive/",
    "ARCHIVE_S3_ENDPOINT": "minio:9000",
    "STANDBY": "warm",
    "STREAMING": "asynchronous",
    "PRIMARY_HOST": "orders",
    "HOSTNAME": "orders-0",
}
SPILO = {
    "WAL_S3_BUCKET": "b",
    "SCOPE": "orders",
    "PGVERSION": "15",
    "AWS_REGION": "eu-1",
    "HOSTNAME": "orders-0",
}


def test_every_name_is_noticed() -> None:
    """`translation` is only loaded where one of its names is set: the look must know them all."""
    modules = (translation, kubedb, spilo)
    source = "".join(Path(str(of.__file__)).read_text(encoding="utf-8") for of in modules)
    names = set(re.findall(r'"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\*?"', source))
    ours = {row.name for row in declared()} | {"PG_MAJOR", "PG_VERSION"}
    # Read only beside one that is noticed, or another setting's own spelling.
    beside = {"KUBERNETES_SERVICE_HOST", "DCS_ENABLE_KUBERNETES_API", "POD_NAMESPACE"}
    beside |= {"WALG_S3_PREFIX"}
    assert len(names) > 20
    assert {name for name in names - ours - beside if not name.startswith(THEIR_NAMES)} == set()


def test_without_their_names_nothing_is_said() -> None:
    """A plain environment has no notes."""
    known = load({"WALSUP_ARCHIVE": "s3://b/p", "AWS_REGION": "eu-1"})
    assert (known.foreign, known.no_new_cluster) == ((), "")


def test_kubedb() -> None:
    """The archive, with the endpoint's region; what has no place is one line a reason."""
    known = load(KUBEDB)
    assert known.archive == ArchiveUrl(bucket="b", prefix="kubedb/demo/orders/archive")
    assert (known.endpoint, known.region) == ("https://minio:9000", "us-east-1")
    assert (
        "PRIMARY_HOST, STANDBY, STREAMING: set WALSUP_ROLE and WALSUP_PRIMARY_CONNINFO"
        in known.foreign
    )
    assert any("ARCHIVE_S3_PREFIX is used as WALSUP_ARCHIVE=" in note for note in known.foreign)
    assert known.no_new_cluster == ""


def test_kubedbs_directory_has_the_host_s_name() -> None:
    """As its script appends it."""
    env = {"ARCHIVE": "wal-g", "ARCHIVE_FILE_PREFIX": "/walg", "HOSTNAME": "orders-0"}
    assert load(env).archive == FileArchive(directory="/walg/orders-0")


def test_half_of_kubedb_is_a_fault() -> None:
    """Nobody shall believe that he is protected."""
    with pytest.raises(SettingsError, match="ARCHIVE=wal-g without ARCHIVE_S3_PREFIX"):
        load({"ARCHIVE": "wal-g"})
    assert load({"ARCHIVE": "wal-g", "WALSUP_ARCHIVE": "file:///a"}).archive


@pytest.mark.parametrize("archive", ["", "none"])
def test_kubedb_archives_only_when_told(archive: str) -> None:
    """ARCHIVE_S3_PREFIX alone archived nothing there, and a note says so."""
    known = load(KUBEDB | {"ARCHIVE": archive})
    assert known.archive is None
    assert any("archives nothing" in note for note in known.foreign)


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ({}, "s3://b/spilo/orders/wal/15"),
        ({"WAL_BUCKET_SCOPE_PREFIX": "shop-"}, "s3://b/spilo/shop-orders/wal/15"),
        ({"WAL_BUCKET_SCOPE_SUFFIX": "/4f"}, "s3://b/spilo/orders/4f/wal/15"),
        ({"PGVERSION": "16"}, "s3://b/spilo/orders/wal/16"),
        # The programs know their version better than a variable.
        ({"PGVERSION": "16", "PG_MAJOR": "17"}, "s3://b/spilo/orders/wal/17"),
        ({"PG_BINDIR": "/usr/lib/postgresql/14/bin"}, "s3://b/spilo/orders/wal/14"),
        ({"NAMESPACE": "shop"}, "s3://b/spilo/shop-orders/wal/15"),
        ({"NAMESPACE": "default"}, "s3://b/spilo/orders/wal/15"),
        ({"POD_NAMESPACE": "shop"}, "s3://b/spilo/orders/wal/15"),
        (
            {
                "POD_NAMESPACE": "shop",
                "KUBERNETES_SERVICE_HOST": "10.0.0.1",
                "DCS_ENABLE_KUBERNETES_API": "true",
            },
            "s3://b/spilo/shop-orders/wal/15",
        ),
        # An empty prefix is one, as Zalando's operator sets it.
        ({"NAMESPACE": "shop", "WAL_BUCKET_SCOPE_PREFIX": ""}, "s3://b/spilo/orders/wal/15"),
        ({"WALE_S3_PREFIX": "s3://other/x"}, "s3://other/x"),
        ({"WALG_S3_PREFIX": "s3://other/y"}, "s3://other/y"),
        ({"WALSUP_ARCHIVE": "s3://ours/z"}, "s3://ours/z"),
    ],
)
def test_spilos_place(more: dict[str, str], place: str) -> None:
    """Where Spilo would have archived, unless a full place is given."""
    assert str(load(SPILO | more).archive) == place


@pytest.mark.parametrize("missing", ["SCOPE", "PGVERSION"])
def test_half_a_place_is_a_fault(missing: str) -> None:
    """Two databases would meet in the other half."""
    env = {name: text for name, text in SPILO.items() if name != missing}
    with pytest.raises(SettingsError, match=f"WAL_S3_BUCKET without {missing}"):
        load(env)


def test_the_data_s_version_decides(tmp_path: Path) -> None:
    """As in Spilo: an existing cluster stays in its archive."""
    (tmp_path / "PG_VERSION").write_text("13\n")
    known = load(SPILO | {"PGDATA": str(tmp_path), "PG_MAJOR": "15"})
    assert str(known.archive) == "s3://b/spilo/orders/wal/13"


def test_spilos_superuser() -> None:
    """Name and password; no note shows the password."""
    env = {"PGUSER_SUPERUSER": "boss", "PGPASSWORD_SUPERUSER": "hush", "PGUSER_ADMIN": "admin"}
    known = load(env)
    assert (known.postgres_user, known.postgres_password) == ("boss", "hush")
    assert "hush" not in " ".join(known.foreign)
    assert any(
        note.startswith("PGUSER_ADMIN: walsup creates only the superuser") for note in known.foreign
    )
    ours = load(env | {"POSTGRES_USER": "me", "POSTGRES_PASSWORD": "mine"})
    assert (ours.postgres_user, ours.postgres_password) == ("me", "mine")
    assert "PGUSER_SUPERUSER is ignored: POSTGRES_USER is set" in ours.foreign


def test_wal_e_s_endpoint_has_a_convention() -> None:
    """Which is path-style here in any case."""
    assert load({"WALE_S3_ENDPOINT": "https+path://s3:443"}).endpoint == "https://s3:443"


def test_the_locale_of_spilo() -> None:
    """It is initdb's."""
    assert load({"INITDB_LOCALE": "de_DE"}).postgres_initdb_args.startswith("--locale=de_DE.UTF-8")


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({"RESTORE": "true"}, "RESTORE=true"),
        ({"RESTORE": "false"}, ""),
        ({"RESTORE_S3_PREFIX": "s3://b/x"}, ""),
        ({"CLONE_METHOD": "CLONE_WITH_WALE"}, "CLONE_METHOD"),
        ({"CLONE_SCOPE": "another"}, "CLONE_SCOPE"),
        ({"CLONE_WAL_S3_BUCKET": "b"}, "CLONE_WAL_S3_BUCKET"),
        ({"CLONE_USE_WALG_RESTORE": "true", "CLONE_AWS_REGION": "eu-1"}, ""),
        ({"STANDBY_HOST": "there"}, "STANDBY_HOST"),
        ({"STANDBY": "hot", "PRIMARY_HOST": "p"}, ""),
        ({"PRIMARY_HOST": "p", "HOSTNAME": "p-0"}, ""),
        ({"PRIMARY_HOST": "p", "HOSTNAME": "p-12"}, "PRIMARY_HOST beside the host name p-12"),
        ({"SCOPE": "p", "HOSTNAME": "p-1"}, "SCOPE beside the host name p-1"),
        ({"HOSTNAME": "p-1"}, ""),
        # What Kubernetes says about Services of such names.
        ({"STANDBY_DB_SERVICE_HOST": "10.0.0.9", "STANDBY_DB_PORT": "tcp://10.0.0.9:1"}, ""),
        ({"CLONE_SERVICE_PORT_HTTP": "80", "CLONE_PORT_80_TCP_ADDR": "10.0.0.9"}, ""),
    ],
)
@pytest.mark.rule("empty-means-listed")
def test_what_asks_for_other_data_forbids_a_new_cluster(env: dict[str, str], named: str) -> None:
    """A restore, a clone, a standby: never an initdb instead."""
    assert load(env).no_new_cluster == named


@pytest.mark.parametrize("name", ["ARCHIVE_GS_PREFIX", "WAL_GCS_BUCKET"])
def test_other_stores_are_refused(name: str) -> None:
    """Nobody shall believe that he is protected."""
    with pytest.raises(SettingsError, match=name):
        load({name: "somewhere"})


def test_the_agent_s_file_has_our_names_only() -> None:
    """Translated once: what the agent reads means the same to it."""
    seen = relevant(KUBEDB | {"PGPASSWORD_SUPERUSER": "hush", "PGPASSWORD_STANDBY": "no"})
    assert seen == {
        "WALSUP_ARCHIVE": "s3://b/kubedb/demo/orders/archive/",
        "AWS_ENDPOINT": "minio:9000",
        "POSTGRES_PASSWORD": "hush",
    }


def places(root: Path, *directories: str) -> str:
    """A root with these directories."""
    for directory in directories:
        (root / directory.lstrip("/")).mkdir(parents=True)
    return str(root)


@pytest.mark.parametrize(
    ("there", "env", "place"),
    [
        ((), {}, "/var/lib/postgresql/data"),
        ((), {"PG_MAJOR": "17"}, "/var/lib/postgresql/data"),
        ((), {"PG_MAJOR": "18"}, "/var/lib/postgresql/18/docker"),
        ((), {"PGDATA": "/x"}, "/x"),
        (("/var/pv",), {}, "/var/pv/data"),
        (("/var/pv",), {"PGDATA": "/var/lib/postgresql/data/"}, "/var/pv/data"),
        (("/var/pv",), {"PGDATA": "/x"}, "/x"),
        (
            ("/home/postgres/pgdata",),
            {"PGDATA": "/var/lib/postgresql/18/docker", "PG_MAJOR": "18"},
            "/home/postgres/pgdata/pgroot/data",
        ),
        (
            ("/home/postgres/pgdata",),
            {"PGROOT": "/home/postgres/pgdata/mine"},
            "/home/postgres/pgdata/mine/data",
        ),
        (("/home/postgres/pgdata",), {"PGROOT": "/else"}, "/home/postgres/pgdata/pgroot/data"),
    ],
)
def test_where_the_data_directory_is(
    tmp_path: Path, there: tuple[str, ...], env: dict[str, str], place: str
) -> None:
    """Who says it is obeyed; the image's own place says nothing where another's volume is."""
    assert default_pgdata.chosen(env, places(tmp_path, *there)) == place


def test_data_in_the_usual_place_is_not_left(tmp_path: Path) -> None:
    """A directory that happens to be called like another's volume changes nothing."""
    root = places(tmp_path, "/var/pv", "/var/lib/postgresql/data")
    (tmp_path / "var/lib/postgresql/data/PG_VERSION").write_text("15")
    assert default_pgdata.chosen({}, root) == default_pgdata.USUAL


def test_kubedbs_places(tmp_path: Path) -> None:
    """Its volume and its secret are noted with our names."""
    root = places(tmp_path, "/var/pv", "/srv/wal-g/archive/secrets")
    found: Any = translation.translate({}, root)
    assert found.ours == {
        "PGDATA": "/var/pv/data",
        "WALSUP_SECRETS_DIR": "/srv/wal-g/archive/secrets",
    }
    own = translation.translate({"WALSUP_SECRETS_DIR": "/run/secrets"}, root)
    assert "WALSUP_SECRETS_DIR" not in own.ours
