"""The manifests of KubeDB and Spilo with only the image changed, and of the official image."""

import functools
from collections.abc import Callable

import pytest

from dev.harness import Machine, S3Server, Walsup
from dev.harness.checks.witness import owner, segments, status, verdict, wait_protected
from dev.harness.processes.layout import new_prefix
from dev.harness.processes.pod import Pod

Make = Callable[..., Pod]
MAJOR = Machine.load().major
KUBERNETES = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}


def kubedb(s3: S3Server, prefix: str) -> dict[str, str]:
    """What KubeDB's operator gives the primary. Source: release-0.13, pkg/controller."""
    return KUBERNETES | {
        "HOSTNAME": "orders-0",
        "APPSCODE_ANALYTICS_CLIENT_ID": "0f3c",
        "NAMESPACE": "demo",
        "PRIMARY_HOST": "orders",
        "POSTGRES_USER": "postgres",
        "POSTGRES_PASSWORD": "of kubedb",
        "STANDBY": "warm",
        "STREAMING": "asynchronous",
        "LEASE_DURATION": "15",
        "ARCHIVE": "wal-g",
        "ARCHIVE_S3_PREFIX": f"s3://{s3.bucket}/{prefix}/",
        "ARCHIVE_S3_ENDPOINT": s3.endpoint,
    }


KUBEDB_ARGS = ("leader_election", "--enable-analytics=false", "--logtostderr=true", "--v=3")


def kubedbs_pod(pod: Make, s3: S3Server, engine: str, prefix: str, **more: str) -> Pod:
    """A pod as its StatefulSet has it."""
    one = pod(
        env=kubedb(s3, prefix) | more, args=KUBEDB_ARGS, volume="/var/pv", engine=engine, s3=s3
    )
    keys = {"AWS_ACCESS_KEY_ID": s3.access_key, "AWS_SECRET_ACCESS_KEY": s3.secret_key}
    one.files("/srv/wal-g/archive/secrets", keys)
    one.prefix = prefix
    return one


def test_kubedb_primary(pod: Make, s3: S3Server, engine: str) -> None:
    """A new database, with its scripts and its settings, is archived where KubeDB would have."""
    prefix = f"{new_prefix()}/kubedb/demo/orders/archive"
    one = kubedbs_pod(pod, s3, engine, prefix)
    one.files("/var/initdb", {"data.sh": '"${psql[@]}" -c "create table dashboard (n int)"'})
    one.files("/etc/config", {"user.conf": "max_connections = 77\n"})
    wait_protected(one.start(), timeout_s=90)
    assert one.psql("select count(*) from dashboard") == "0"
    assert one.psql("show max_connections") == "77"
    assert one.psql("show data_directory") == "/var/pv/data"
    said = "\n".join(str(event["problem"]) for event in one.events("setting.foreign"))
    for word in (
        "ARCHIVE_S3_PREFIX is used as WALSUP_ARCHIVE=s3://",
        "ARCHIVE_S3_ENDPOINT is used as AWS_ENDPOINT",
        "is used as WALSUP_SECRETS_DIR",
        "KubeDB's volume is mounted, so PGDATA is /var/pv/data",
        "PRIMARY_HOST, STANDBY, STREAMING: set WALSUP_ROLE and WALSUP_PRIMARY_CONNINFO",
    ):
        assert word in said
    assert not one.events("volume.missing")
    assert one.stop() == 0
    assert segments(s3, prefix)
    one.start()
    wait_protected(one)
    assert owner(s3, prefix)["epoch"] == 2


def test_kubedb_volume_and_archive_are_continued(
    pod: Make, s3: S3Server, engine: str, walsup: Callable[..., Walsup]
) -> None:
    """What lies on the volume and in the bucket of an old one goes on."""
    before = walsup().start()
    wait_protected(before)
    before.psql("create table kept as select 1 as n")
    assert before.stop() == 0
    for key in s3.keys(f"{before.prefix}/walsup/"):
        s3.delete(key)
    for ours in before.pgdata.glob(".walsup-*"):
        ours.unlink()
    with (before.pgdata / "postgresql.conf").open("a") as file:
        file.write("archive_mode = always\narchive_command = 'wal-g wal-push %p'\n")
        file.write("archive_timeout = 60\ninclude_if_exists = '/etc/config/user.conf'\n")
    one = kubedbs_pod(pod, s3, engine, before.prefix)
    before.pgdata.rename(one.pgdata)
    wait_protected(one.start(), timeout_s=90)
    assert one.psql("select n from kept") == "1"
    assert one.psql("show archive_mode") == "on"
    assert one.events("bootstrap.skipped")


@pytest.mark.parametrize(
    ("more", "named", "hint"),
    [
        (
            {"RESTORE": "true", "RESTORE_GS_PREFIX": "gs://b/x"},
            "RESTORE=true",
            "WALSUP_RESTORE_FROM",
        ),
        (
            {"HOSTNAME": "orders-1"},
            "PRIMARY_HOST beside the host name orders-1",
            "set WALSUP_ROLE=auto",
        ),
    ],
)
@pytest.mark.rule("empty-means-listed")
def test_kubedb_asking_for_other_data_gets_no_new_cluster(
    pod: Make, s3: S3Server, more: dict[str, str], named: str, hint: str
) -> None:
    """A restore without a source, or a standby, never ends in an initdb; the hint says how."""
    one = kubedbs_pod(pod, s3, "", new_prefix(), **more)
    assert one.start().wait() == 64
    assert f"{named} requests the data of another database" in verdict(one)
    assert hint in verdict(one)
    assert not list(one.pgdata.iterdir())


def test_kubedbs_second_pod_is_a_standby_with_the_role_that_its_hint_names(
    pod: Make, s3: S3Server, engine: str
) -> None:
    """`kubectl set env sts/orders WALSUP_ROLE=auto`, and nothing else."""
    prefix = f"{new_prefix()}/kubedb/demo/orders/archive"
    zero = kubedbs_pod(pod, s3, engine, prefix, WALSUP_ROLE="auto")
    wait_protected(zero.start(), timeout_s=90)
    second = kubedbs_pod(pod, s3, engine, prefix, WALSUP_ROLE="auto", HOSTNAME="orders-1")
    second.start().wait_accepts(timeout_s=90)
    assert second.psql("select pg_is_in_recovery()") == "t"
    assert second.psql("select system_identifier from pg_control_system()") == zero.psql(
        "select system_identifier from pg_control_system()"
    )


def spilo(s3: S3Server, scope: str) -> dict[str, str]:
    """What Zalando's operator gives a pod. Source: postgres-operator, k8sres.go; Spilo."""
    return KUBERNETES | {
        "HOSTNAME": f"{scope}-0",
        "SCOPE": scope,
        "PGROOT": "/home/postgres/pgdata/pgroot",
        "POD_IP": "10.1.1.1",
        "POD_NAMESPACE": "shop",
        "PGUSER_SUPERUSER": "postgres",
        "PGPASSWORD_SUPERUSER": "of spilo",
        "PGUSER_STANDBY": "standby",
        "PGPASSWORD_STANDBY": "of the standby",
        "KUBERNETES_SCOPE_LABEL": "cluster-name",
        "KUBERNETES_ROLE_LABEL": "spilo-role",
        "KUBERNETES_LABELS": '{"application":"spilo"}',
        "DCS_ENABLE_KUBERNETES_API": "true",
        "PAM_OAUTH2": "https://info.example.com/oauth2/tokeninfo?access_token= uid",
        "HUMAN_ROLE": "zalandos",
        "SPILO_CONFIGURATION": '{"postgresql":{},"bootstrap":{"initdb":[{"auth-host":"md5"}]}}',
        "WAL_S3_BUCKET": s3.bucket,
        "WAL_BUCKET_SCOPE_PREFIX": "",
        "WAL_BUCKET_SCOPE_SUFFIX": "/4f2a",
        "LOG_S3_BUCKET": "logs",
        "AWS_ENDPOINT": s3.endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": s3.access_key,
        "AWS_SECRET_ACCESS_KEY": s3.secret_key,
        "AWS_S3_FORCE_PATH_STYLE": "true",
        "WALG_DISABLE_S3_SSE": "true",
        "USE_WALG_BACKUP": "true",
        "USE_WALG_RESTORE": "true",
        "CLONE_USE_WALG_RESTORE": "true",
        "BACKUP_SCHEDULE": "0 1 * * *",
        "BACKUP_NUM_TO_RETAIN": "5",
        "PGVERSION": MAJOR,
    }


def test_spilo_pod(pod: Make, s3: S3Server, engine: str) -> None:
    """A new database in Spilo's volume, archived where Spilo would have."""
    scope = new_prefix()
    one = pod(env=spilo(s3, scope), volume="/home/postgres/pgdata", engine=engine, s3=s3)
    one.prefix = f"spilo/{scope}/4f2a/wal/{MAJOR}"
    one.pgdata = one.layout.volume / "pgroot" / "data"
    wait_protected(one.start(), timeout_s=90)
    assert one.psql("show data_directory") == "/home/postgres/pgdata/pgroot/data"
    said = "\n".join(str(event["problem"]) for event in one.events("setting.foreign"))
    assert f"WAL_S3_BUCKET with SCOPE is used as WALSUP_ARCHIVE=s3://{s3.bucket}/spilo/" in said
    assert "PGPASSWORD_SUPERUSER is used as POSTGRES_PASSWORD; set that" in said
    assert "this version deletes no backups" in said
    for secret in ("of spilo", "of the standby", s3.secret_key):
        assert secret not in one.log()
    environment = one.psql("select encode(pg_read_binary_file('/proc/self/environ'), 'escape')")
    assert "of the standby" not in environment
    assert one.stop() == 0
    assert segments(s3, one.prefix)
    one.environment["CLONE_SCOPE"] = "another"
    one.start()
    wait_protected(one)
    assert owner(s3, one.prefix)["epoch"] == 2


PATRONIS = """\
# Do not edit this file manually!
# It will be overwritten by Patroni!
include 'postgresql.base.conf'

archive_command = 'envdir "/run/etc/wal-e.d/env" wal-g wal-push "%p"'
archive_mode = 'on'
archive_timeout = '1800s'
bg_mon.listen_address = '0.0.0.0'
extwlist.custom_path = '/scripts'
hot_standby = 'on'
listen_addresses = '*'
log_destination = 'csvlog'
log_directory = '../pg_log'
logging_collector = 'on'
shared_preload_libraries = 'bg_mon,pg_stat_statements,pgextwlist,pg_auth_mon,set_user,timescaledb'
ssl = 'on'
ssl_cert_file = '/run/certs/server.crt'
ssl_key_file = '/run/certs/server.key'
wal_level = 'replica'
wal_log_hints = 'on'
"""


def test_spilo_volume_and_archive_are_continued(
    pod: Make, s3: S3Server, engine: str, walsup: Callable[..., Walsup]
) -> None:
    """Its settings want libraries, a certificate and a log directory that are not here."""
    scope = new_prefix()
    archive = f"spilo/{scope}/4f2a/wal/{MAJOR}"
    before = walsup(prefix=archive).start()
    wait_protected(before)
    before.psql("create table kept as select 1 as n")
    assert before.stop() == 0
    for key in s3.keys(f"{archive}/walsup/"):
        s3.delete(key)
    for ours in before.pgdata.glob(".walsup-*"):
        ours.unlink()
    (before.pgdata / "postgresql.conf").rename(before.pgdata / "postgresql.base.conf")
    (before.pgdata / "postgresql.conf").write_text(PATRONIS)
    with (before.pgdata / "pg_hba.conf").open("w") as file:
        file.write("local all all trust\nhostnossl all all all reject\nhostssl all all all md5\n")
    one = pod(env=spilo(s3, scope), volume="/home/postgres/pgdata", engine=engine, s3=s3)
    one.prefix, one.pgdata = archive, one.layout.volume / "pgroot" / "data"
    one.pgdata.parent.mkdir()
    before.pgdata.rename(one.pgdata)
    wait_protected(one.start(), timeout_s=90)
    assert one.psql("select n from kept") == "1"
    assert one.psql("show shared_preload_libraries") == "pg_stat_statements"
    assert one.psql("show ssl") == "on"
    assert one.psql("show archive_mode") == "on"
    assert "database system is ready to accept connections" in one.log()
    named = {event["name"] for event in one.events("setting.of_patroni")}
    assert named > {"shared_preload_libraries", "logging_collector", "ssl_cert_file"}
    assert one.stop() == 0


@pytest.mark.rule("empty-means-listed")
def test_a_clone_of_spilo_gets_no_new_cluster(pod: Make, s3: S3Server) -> None:
    """CLONE_* with an empty volume is refused by name."""
    env = spilo(s3, new_prefix()) | {"CLONE_METHOD": "CLONE_WITH_WALE", "CLONE_SCOPE": "another"}
    one = pod(env=env, volume="/home/postgres/pgdata")
    assert one.start().wait() == 64
    assert "CLONE_METHOD requests the data of another database" in verdict(one)


def _is_ready(one: Pod) -> bool:
    return bool(status(one).get("ready"))


@pytest.mark.rule("empty-means-listed")
def test_a_forgotten_volume(pod: Make) -> None:
    """On the container's own root, or in an anonymous volume: refused where pods come and go."""
    env = {"POSTGRES_PASSWORD": "x"}
    for point, words in (("", "the container's own"), ("/var/lib/postgresql/data", "anonymous")):
        one = pod(env=env | KUBERNETES)
        one.mount("/var/initdb", one.layout.base / "nothing")
        if point:
            hidden = one.layout.base / "volumes" / ("0123456789abcdef" * 4) / "_data"
            one.mount(point, hidden)
        assert one.start().wait() == 65
        assert words in verdict(one)
        assert "HINT: mount a volume" in verdict(one)
        for name in KUBERNETES:
            del one.environment[name]
        one.start().wait_for(functools.partial(_is_ready, one), "ready", timeout_s=60)
        assert words in one.events("volume.missing")[0]["problem"]
        assert one.stop() == 0


def test_old_data_in_the_old_place_is_not_passed_over(pod: Make) -> None:
    """From 18 on the data directory has another place: an empty one there is no new database."""
    one = pod(env={"POSTGRES_PASSWORD": "x", "PG_MAJOR": "18"}, volume="/var/lib/postgresql")
    one.pgdata.mkdir()
    (one.pgdata / "PG_VERSION").write_text("15\n")
    assert one.start().wait() == 65
    assert "before PostgreSQL 18 holds data: /var/lib/postgresql/data" in verdict(one)
    (one.pgdata / "PG_VERSION").unlink()
    one.pgdata.rmdir()
    one.pgdata = one.layout.volume / "18" / "docker"
    one.start().wait_accepts(timeout_s=60)
    assert one.psql("show data_directory") == "/var/lib/postgresql/18/docker"
