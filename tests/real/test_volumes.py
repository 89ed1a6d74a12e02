"""Volumes and settings that were made for another image."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.harness import Machine, S3Server, Walsup
from dev.harness.checks.witness import status, verdict, wait_fault, wait_protected
from dev.harness.processes.layout import archive_environment, new_prefix
from dev.harness.processes.pg import Address, PgToolError
from dev.harness.processes.pod import Pod
from dev.harness.scenarios.clones import source_of
from dev.harness.scenarios.standbys import archive_now

Make = Callable[..., Walsup]
MakePod = Callable[..., Pod]


def test_socket_directories_each_work_or_are_named(walsup: Make) -> None:
    """Several, absent, abstract, relative, unusable, none: protected, and walsup's own is first."""
    one = walsup(env={"POSTGRES_USER": "chief"})
    absent, abstract = f"{one.layout.base}/run/pg", f"@walsup-{one.prefix}"
    one.args = ["-c", "unix_socket_directories=/nowhere", "-k", f"{abstract}, {absent}"]
    one.start()
    wait_protected(one)
    for directory in (absent, abstract):
        elsewhere = one.address._replace(socket_dir=Path(directory))
        assert one.tools.psql(elsewhere, "select 1", user="chief") == "1"
    assert one.stop() == 0

    # A file of the volume: what cannot be used here is left out, by name.
    with (one.pgdata / "postgresql.conf").open("a") as file:
        file.write("unix_socket_directories = 'sock, /controller/none/run, /tmp'\n")
        file.write("unix_socket_permissions = 0070\n")
    one.args = []
    del one.environment["POSTGRES_USER"]
    one.start()
    fault = wait_fault(one, "database")
    assert 'set POSTGRES_USER to the superuser of this cluster, "chief"' in fault["remedy"]
    left_out = {event["directory"] for event in one.events("socket.left_out")}
    in_pgdata = {"sock"} if one.engine == "wal-g" else set()
    assert left_out == {"/controller/none/run"} | in_pgdata
    assert one.psql("show unix_socket_directories", user="chief").endswith('/tmp"')
    assert one.stop() == 0

    # None at all; the name that the fault gives is a remedy.
    one.environment["POSTGRES_USER"] = "chief"
    one.args = ["-c", "unix_socket_directories="]
    one.start()
    wait_protected(one)
    assert "database" not in status(one)["faults"]
    assert one.stop() == 0
    assert ": yes (" in verdict(one)

    for words in (*in_pgdata, "/controller/none/run", "/tmp,", '"/tmp'):
        one.args = ["-c", f"unix_socket_directories={words}"]
        one.start()
        assert one.wait() == 64
        assert "unix_socket_directories" in verdict(one)


def test_a_socket_in_the_data_directory_works_where_the_engine_leaves_it_out(
    walsup: Make, s3: S3Server
) -> None:
    """WAL-RUS: protected, and a clone starts beside a copy of the lock. WAL-G: refused, and why."""
    one = walsup(args=["-k", "."]).start()
    if one.engine == "wal-g":
        assert one.wait() == 64
        assert "a socket makes each base backup of wal-g fail" in verdict(one)
        one.args = []
        one.start()
        wait_protected(one)
        return
    wait_protected(one)
    assert one.tools.psql(one.address._replace(socket_dir=one.pgdata), "select 1") == "1"
    one.psql("create table t as select 7 n")
    archive_now(one)
    clone = walsup(s3=None, env=source_of(s3, one.prefix), args=["-k", "."]).start()
    clone.wait_accepts(timeout_s=90)
    assert clone.tools.psql(clone.address._replace(socket_dir=clone.pgdata), "table t") == "7"


def _over_tcp(one: Walsup, password: str, user: str, database: str = "postgres") -> str:
    """What a login over TCP answers, or what psql says."""
    address = Address(Path("127.0.0.1"), one.layout.pg_port, password)
    try:
        return one.tools.psql(address, "select current_user", user=user, database=database)
    except PgToolError as refused:
        return str(refused)


def test_bitnami_s_chart_and_its_volume_without_configuration(pod: MakePod, s3: S3Server) -> None:
    """A new one as its names say; then without its configuration files, as Bitnami has them."""
    prefix = new_prefix()
    env = {
        "POSTGRESQL_VOLUME_DIR": "/bitnami/postgresql",
        "POSTGRES_USER": "shop",
        "POSTGRES_PASSWORD": "of the shop",
        "POSTGRES_POSTGRES_PASSWORD": "of postgres",
        "POSTGRES_DATABASE": "orders",
        "POSTGRESQL_SHARED_PRELOAD_LIBRARIES": "pgaudit",
    }
    one = pod(env=env | archive_environment(s3, prefix, None), volume="/bitnami/postgresql", s3=s3)
    one.environment["POSTGRESQL_PORT_NUMBER"] = one.environment.pop("PGPORT")
    wait_protected(one.start(), timeout_s=90)
    assert one.psql("show data_directory") == "/bitnami/postgresql/data"
    assert _over_tcp(one, "of the shop", "shop", "orders") == "shop"
    owner = "select rolname, rolsuper from pg_database d join pg_roles r on r.oid = datdba"
    assert one.psql(f"{owner} where datname = 'orders'") == "shop|f"
    one.psql("alter system set max_prepared_transactions = 7")
    one.stop()

    one.start()
    wait_protected(one)
    one.psql("create table t (n int); begin; insert into t values (1); prepare transaction 'x'")
    assert one.stop() == 0
    for path in one.pgdata.glob("*.conf"):
        path.unlink()
    one.start()
    wait_protected(one)
    assert {event["file"] for event in one.events("volume.configured")} == {
        "pg_hba.conf",
        "postgresql.conf",
    }
    one.psql("commit prepared 'x'")
    assert one.psql("select n from t") == "1"
    assert _over_tcp(one, "of the shop", "shop", "orders") == "shop"
    assert "password" in _over_tcp(one, "wrong", "postgres")
    assert one.stop() == 0


_OTHER_UID = 4711
# As CloudNativePG's instance manager writes them. Source: pkg/postgres/configuration.go.
_CNPG = """
ssl = on
ssl_ca_file = '/controller/certificates/client-ca.crt'
ssl_cert_file = '/controller/certificates/server.crt'
ssl_key_file = '/controller/certificates/server.key'
logging_collector = on
log_destination = csvlog
log_directory = '/controller/log'
unix_socket_directories = '/controller/run'
shared_preload_libraries = 'pgaudit'
archive_mode = on
archive_command = '/controller/manager wal-archive --log-destination /controller/log/x.json %p'
listen_addresses = '192.0.2.1'
huge_pages = on
"""
_CNPG_RULES = """local all all peer map=local
hostssl postgres streaming_replica all cert
host all all all scram-sha-256
"""


def _owners(*folders: Path) -> set[int]:
    """The uids of everything in these directories."""
    found = {path.lstat().st_uid for folder in folders for path in folder.rglob("*")}
    return found | {folder.stat().st_uid for folder in folders}


def _give(uid: int, *folders: Path) -> None:
    for folder in folders:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, uid, uid, follow_symlinks=False)


def test_a_volume_of_another_user_is_given_away_only_when_it_can_start(
    walsup: Make, machine: Machine
) -> None:
    """CloudNativePG's: refused, all of it stays its user's; then with its WAL and tablespaces."""
    if not machine.db_user:
        pytest.skip("needs root")
    one = walsup().start()
    one.wait_accepts(timeout_s=60)
    wal, space = one.layout.volume / "wal", one.layout.volume / "space"
    space.mkdir()
    machine.give_to_database(space)
    one.psql(f"create tablespace elsewhere location '{space}'")
    one.psql("create table t tablespace elsewhere as select 7 as n")
    assert one.stop() == 0
    (one.pgdata / "pg_wal").rename(wal)
    (one.pgdata / "pg_wal").symlink_to(wal)
    conf = one.pgdata / "postgresql.conf"
    plain = conf.read_text()
    one.layout.volume.chmod(0o755)
    volume = (one.pgdata, wal, space)
    _give(_OTHER_UID, *volume)

    refusals = {
        "shared_preload_libraries = 'citus'": 69,
        "include '/controller/absent.conf'": 65,
        "work_mem = 'a lot'": 65,
        "hba_file = '/controller/pg_hba.conf'": 65,
        "lc_messages = 'xx_YY.UTF-8'": 65,
    }
    for line, code in refusals.items():
        conf.write_text(f"{plain}\n{line}\n")
        one.start()
        assert one.wait() == code, one.tail()
        assert _owners(*volume) == {_OTHER_UID}
    version = one.pgdata / "PG_VERSION"
    major = version.read_text()
    version.write_text("11\n")
    one.start()
    assert one.wait() == 66
    version.write_text(major)
    assert _owners(*volume) == {_OTHER_UID}

    conf.write_text(plain + _CNPG)
    (one.pgdata / "pg_hba.conf").write_text(_CNPG_RULES)
    (one.pgdata / "pg_ident.conf").write_text(
        # The tests' own psql is run by root.
        f"local {machine.db_user} postgres\nlocal root postgres\n"
    )
    one.start()
    wait_protected(one)
    assert one.events("directory.examined")
    assert one.psql("select n from t") == "7"
    assert one.psql("show ssl_ca_file") != "/controller/certificates/client-ca.crt"
    assert one.psql("show shared_preload_libraries") == ""
    assert one.events("archive.of_other_program")[0]["program"] == "CloudNativePG (Barman)"
    replaced = {event["name"] for event in one.events("setting.of_other_image")}
    assert {"listen_addresses", "log_destination", "huge_pages"} <= replaced
    assert _owners(*volume) == {one.pgdata.stat().st_uid} != {_OTHER_UID}
    assert one.stop() == 0
