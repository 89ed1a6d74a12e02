"""Settings from variables, files and a directory; every fault, and no secret in any of them."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walsup.errors import ContractError, SettingsError
from walsup.init.early_settings import EarlySettings
from walsup.settings import ArchiveUrl, FileArchive, HttpAddress, declared, load, relevant
from walsup.settings.conninfo import Conninfo

ARCHIVE = {"WALSUP_ARCHIVE": "s3://b/p", "AWS_REGION": "eu-1"}
KEYS = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}
# Every declared setting: a text, and what it means.
EXAMPLES: dict[str, tuple[str, object]] = {
    "PGDATA": ("/data/pg", Path("/data/pg")),
    "PGPORT": ("5433", 5433),
    "PG_BINDIR": ("/opt/pg/bin", Path("/opt/pg/bin")),
    "POSTGRES_USER": ("boss", "boss"),
    "POSTGRES_PASSWORD": ("top secret", "top secret"),
    "POSTGRES_DB": ("shop", "shop"),
    "WALSUP_APP_USER": ("teller", "teller"),
    "WALSUP_APP_PASSWORD": ("teller's own", "teller's own"),
    "POSTGRES_INITDB_ARGS": ("--locale='C.UTF-8'", "--locale='C.UTF-8'"),
    "POSTGRES_INITDB_WALDIR": ("/wal", Path("/wal")),
    "POSTGRES_HOST_AUTH_METHOD": ("trust", "trust"),
    "WALSUP_INITDB_DIR": ("/scripts", Path("/scripts")),
    "WALSUP_REQUIRE_MOUNT": ("on", True),
    "WALSUP_PGUSER": ("keeper", "keeper"),
    "WALSUP_PGPASSWORD": ("keeper's", "keeper's"),
    "WALSUP_SOCKET_DIR": ("/sock", Path("/sock")),
    "WALSUP_POSTGRES_ENV": ("A, B_*  C", ("A", "B_*", "C")),
    "WALSUP_ARCHIVE": ("s3://bucket/a/b/", ArchiveUrl(bucket="bucket", prefix="a/b")),
    "AWS_ENDPOINT": ("minio:9000", "https://minio:9000"),
    "AWS_REGION": ("eu-1", "eu-1"),
    "WALSUP_CA_FILE": ("/ca.pem", Path("/ca.pem")),
    "AWS_ACCESS_KEY_ID": ("key", "key"),
    "AWS_SECRET_ACCESS_KEY": ("secret", "secret"),
    "AWS_SESSION_TOKEN": ("token", "token"),
    "WALSUP_ENGINE": ("wal-g", "wal-g"),
    "WALSUP_COMPRESSION": ("zstd", "zstd"),
    "WALSUP_LEASE": ("5s", 5.0),
    "WALSUP_FENCE": ("on", "on"),
    "WALSUP_UNSAFE_OWNER": ("on", True),
    "WALSUP_ACCEPT_SAME_DEVICE": ("on", True),
    "WALSUP_ARCHIVE_TIMEOUT": ("2min", 120),
    "WALSUP_INITIAL_BACKUP": ("off", False),
    "WALSUP_ON_EMPTY_PGDATA": ("restore", "restore"),
    "WALSUP_RESTORE_FROM": ("s3://source/x", ArchiveUrl(bucket="source", prefix="x")),
    "WALSUP_RESTORE_SECRETS_DIR": ("/", Path("/")),
    "WALSUP_RESTORE_BACKUP": ("base_1", "base_1"),
    "WALSUP_RESTORE_TARGET_TIME": ("2026-01-02 03:04:05+01", "2026-01-02 02:04:05.000000+00:00"),
    "WALSUP_RESTORE_TARGET_LSN": ("0/16b3740", "0/16B3740"),
    "WALSUP_RESTORE_TARGET_XID": ("1234", "1234"),
    "WALSUP_RESTORE_TARGET_NAME": ("before it", "before it"),
    "WALSUP_RESTORE_TARGET_IMMEDIATE": ("on", True),
    "WALSUP_RESTORE_TARGET_TIMELINE": ("7", "7"),
    "WALSUP_RESTORE_TARGET_INCLUSIVE": ("off", False),
    "WALSUP_RESTORE_TARGET_ACTION": ("pause", "pause"),
    "WALSUP_RESTORE_ACCEPT_HOLE": ("000000010000000000000005", "000000010000000000000005"),
    "WALSUP_ROLE": ("Standby", "standby"),
    "WALSUP_PRIMARY_CONNINFO": ("host=db port=1", Conninfo((("host", "db"), ("port", "1")))),
    "WALSUP_REPLICATION_USER": ("mirror", "mirror"),
    "WALSUP_REPLICATION_PASSWORD": ("mirror's", "mirror's"),
    "WALSUP_HTTP": ("127.0.0.1:80", HttpAddress(host="127.0.0.1", port=80)),
    "WALSUP_RUN_DIR": ("/run/x", Path("/run/x")),
    "WALSUP_SECRETS_DIR": ("/", Path("/")),
    "WALSUP_STOP_GRACE": ("40s", 40.0),
    "WALSUP_STOP_PATIENCE": ("30s", 30.0),
    "WALSUP_LOG_FORMAT": ("json", "json"),
    "WALSUP_TERMINATION_LOG": ("/dev/null", Path("/dev/null")),
}
ROWS = {row.name: row for row in declared()}
IN_FILES = sorted(name for name, row in ROWS.items() if not row.environment_only)
ONLY_VARIABLES = sorted(ROWS.keys() - set(IN_FILES))
SECRETS = sorted(name for name, row in ROWS.items() if row.secret)


def companions(name: str) -> dict[str, str]:
    """What has to be set beside a setting for it to be right."""
    if name in KEYS:
        return {other: text for other, text in KEYS.items() if other != name}
    if name == "WALSUP_ON_EMPTY_PGDATA":
        return ARCHIVE
    if name.startswith("WALSUP_RESTORE_") and name != "WALSUP_RESTORE_FROM":
        source = {"WALSUP_RESTORE_FROM": "s3://source/x"}
        if name == "WALSUP_RESTORE_TARGET_ACTION":
            source["WALSUP_RESTORE_TARGET_NAME"] = "there"
        return source
    if name == "WALSUP_ROLE":
        return {"WALSUP_PRIMARY_CONNINFO": "host=db"}
    if name == "WALSUP_PRIMARY_CONNINFO":
        return {"WALSUP_ROLE": "standby"}
    return {"AWS_REGION": "eu-1"} if name == "WALSUP_ARCHIVE" else {}


def faults(environ: dict[str, str]) -> str:
    """What is wrong with it."""
    with pytest.raises((SettingsError, ContractError)) as refused:
        load(environ)
    return str(refused.value)


def test_every_setting_has_an_example() -> None:
    """What is declared is tested below."""
    assert EXAMPLES.keys() == ROWS.keys()


@pytest.mark.parametrize("name", EXAMPLES)
def test_from_a_variable(name: str) -> None:
    """Each setting is read from its variable."""
    text, value = EXAMPLES[name]
    assert getattr(load({name: text} | companions(name)), ROWS[name].field) == value


@pytest.mark.parametrize("name", IN_FILES)
@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
def test_from_a_file(tmp_path: Path, name: str, end: str) -> None:
    """NAME_FILE gives the setting, without newlines at its end."""
    text, value = EXAMPLES[name]
    (tmp_path / "it").write_text(text + end, encoding="utf-8")
    found = load({f"{name}_FILE": str(tmp_path / "it")} | companions(name))
    assert getattr(found, ROWS[name].field) == value


@pytest.mark.parametrize("name", IN_FILES)
def test_from_the_directory(tmp_path: Path, name: str) -> None:
    """A file named like the key gives the setting."""
    text, value = EXAMPLES[name]
    (tmp_path / name).write_text(text + "\n", encoding="utf-8")
    found = load({"WALSUP_SECRETS_DIR": str(tmp_path)} | companions(name))
    assert getattr(found, ROWS[name].field) == value


@pytest.mark.parametrize("name", ONLY_VARIABLES)
def test_what_pid_1_reads_comes_from_the_environment_only(tmp_path: Path, name: str) -> None:
    """PID 1 knows no files, so a file would be obeyed by half of walsup."""
    text, _ = EXAMPLES[name]
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert f"{name}_FILE" in faults({f"{name}_FILE": str(tmp_path / name)})
    if name != "WALSUP_SECRETS_DIR":
        assert "environment only" in faults({"WALSUP_SECRETS_DIR": str(tmp_path)})


def test_nothing_set_gives_the_defaults() -> None:
    """Without any variable the table's defaults are taken, and nothing is archived."""
    assert load({}) == load({})
    assert load({}).archive is None
    assert load(dict.fromkeys(ROWS, "")) == load({})


@pytest.mark.parametrize(
    ("text", "shown", "loopbacks"),
    [
        ("", "port 9351", ("127.0.0.1", "::1")),
        (":80", "port 80", ("127.0.0.1", "::1")),
        ("*:80", "port 80", ("127.0.0.1", "::1")),
        ("0.0.0.0:80", "0.0.0.0:80", ("127.0.0.1",)),
        ("[::]:80", "[::]:80", ("::1", "127.0.0.1")),
        ("[fd00::1]:80", "[fd00::1]:80", ("fd00::1",)),
    ],
)
def test_where_http_answers(text: str, shown: str, loopbacks: tuple[str, ...]) -> None:
    """Without a host on every address; a command asks the ones of this machine."""
    address = load({"WALSUP_HTTP": text}).http
    assert (str(address), address.loopbacks) == (shown, loopbacks)


@pytest.mark.parametrize("environ", [{}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}])
def test_defaults_are_those_of_pid_1(environ: dict[str, str]) -> None:
    """PID 1 decides before the table is read, the agent from a part; all decide alike."""
    basics, known = EarlySettings(environ, 1000), load(environ)
    assert load(relevant(environ)).stop_grace_s == known.stop_grace_s
    assert basics.pgdata == str(known.pgdata)
    assert basics.stop_grace_s == known.stop_grace_s
    assert basics.log_format == known.log_format


@pytest.mark.parametrize("name", IN_FILES)
def test_both_is_an_error(tmp_path: Path, name: str) -> None:
    """NAME and NAME_FILE together are refused, even when they agree."""
    (tmp_path / "it").write_text(EXAMPLES[name][0], encoding="utf-8")
    said = faults({name: EXAMPLES[name][0], f"{name}_FILE": str(tmp_path / "it")})
    assert f"{name} and {name}_FILE are both set" in said


@pytest.mark.parametrize("given_by", ["variable", "file"])
def test_either_wins_over_the_directory(tmp_path: Path, given_by: str) -> None:
    """The directory only fills in what neither NAME nor NAME_FILE gives."""
    (tmp_path / "POSTGRES_DB").write_text("directory", encoding="utf-8")
    (tmp_path / "it").write_text("file", encoding="utf-8")
    environ = {"WALSUP_SECRETS_DIR": str(tmp_path)}
    if given_by == "file":
        environ["POSTGRES_DB_FILE"] = str(tmp_path / "it")
    else:
        environ["POSTGRES_DB"] = "variable"
    assert load(environ).postgres_db == given_by


def test_directory_of_kubernetes(tmp_path: Path) -> None:
    """Links into ..data are followed; other keys are not opened, binary ones included."""
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..data").symlink_to("..2026")
    for name, content in (("POSTGRES_PASSWORD", b"p\n"), ("keystore.p12", b"\xff\x00")):
        (tmp_path / "..2026" / name).write_bytes(content)
        (tmp_path / name).symlink_to(f"..data/{name}")
    assert load({"WALSUP_SECRETS_DIR": str(tmp_path)}).postgres_password == "p"


@pytest.mark.parametrize("place", ["variable", "file", "directory"])
@pytest.mark.parametrize(
    ("alias", "name", "text"),
    [("WALG_S3_PREFIX", "WALSUP_ARCHIVE", "s3://b/p"), ("AWS_ENDPOINT_URL", "AWS_ENDPOINT", "h")],
)
def test_aliases(tmp_path: Path, place: str, alias: str, name: str, text: str) -> None:
    """An alias is as good as the name, wherever it stands, and is not passed on as well."""
    (tmp_path / alias).write_text(text, encoding="utf-8")
    places = {
        "variable": {alias: text},
        "file": {f"{alias}_FILE": str(tmp_path / alias)},
        "directory": {"WALSUP_SECRETS_DIR": str(tmp_path)},
    }
    found = load(places[place] | {"AWS_REGION": "r"})
    wanted = load({name: text, "AWS_REGION": "r"})
    assert getattr(found, ROWS[name].field) == getattr(wanted, ROWS[name].field)
    assert not found.passed_on


def test_alias_that_differs(tmp_path: Path) -> None:
    """Name and alias with two values are refused, in the directory too; with one they are not."""
    two = {"WALSUP_ARCHIVE": "s3://b/p", "WALG_S3_PREFIX": "s3://b/q", "AWS_REGION": "r"}
    assert "WALSUP_ARCHIVE and WALG_S3_PREFIX differ" in faults(two)
    assert load(two | {"WALG_S3_PREFIX": "s3://b/p"}).archive is not None
    (tmp_path / "AWS_ENDPOINT").write_text("one", encoding="utf-8")
    (tmp_path / "AWS_ENDPOINT_URL").write_text("two", encoding="utf-8")
    assert "differ" in faults({"WALSUP_SECRETS_DIR": str(tmp_path)})


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("minio", "https://minio"),
        ("minio:9000/", "https://minio:9000"),
        ("http://10.0.0.1:9000", "http://10.0.0.1:9000"),
        ("HTTPS://host", "https://host"),
        ("[::1]:9000", "https://[::1]:9000"),
        ("notamazonaws.com", "https://notamazonaws.com"),
    ],
)
def test_endpoint(text: str, endpoint: str) -> None:
    """Without a scheme it is https; with an endpoint the region is us-east-1."""
    found = load({"AWS_ENDPOINT": text, "WALSUP_ARCHIVE": "s3://b/p"})
    assert (found.endpoint, found.region) == (endpoint, "us-east-1")
    assert load({"AWS_ENDPOINT": text, "AWS_REGION": "x"}).region == "x"


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("s3.dualstack.eu-central-1.amazonaws.com", "eu-central-1"),
        ("s3-fips.us-east-2.amazonaws.com", "us-east-2"),
        ("s3-fips.dualstack.ca-central-1.amazonaws.com", "ca-central-1"),
        ("s3.dualstack.cn-northwest-1.amazonaws.com.cn", "cn-northwest-1"),
        ("bucket.vpce-0a1b-2c3d.s3.eu-west-1.vpce.amazonaws.com", "eu-west-1"),
        ("bucket.vpce-0a1b-2c3d-eu-west-1a.s3.eu-west-1.vpce.amazonaws.com", "eu-west-1"),
        ("s3-fips.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
        ("s3.dualstack.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
        ("my-s3-us-west-2.example.com", "us-east-1"),
        ("s3.eu-west-1.amazonaws.com.example.com", "us-east-1"),
    ],
)
def test_an_endpoint_is_used_as_given_and_names_its_region(text: str, region: str) -> None:
    """None of Amazon's kinds of endpoints is replaced by another host; AWS_REGION wins."""
    found = load({"AWS_ENDPOINT": text, "WALSUP_ARCHIVE": "s3://b/p"})
    assert (found.endpoint, found.region) == (f"https://{text}", region)
    assert load({"AWS_ENDPOINT": text, **ARCHIVE}).endpoint == f"https://{text}"
    assert load({"AWS_ENDPOINT": text, **ARCHIVE}).region == "eu-1"


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("https://S3.AMAZONAWS.COM", None),
        ("s3-accelerate.amazonaws.com:443", None),
        ("b.s3-accelerate.amazonaws.com", None),
        ("b.s3.amazonaws.com", None),
        ("s3.eu-west-1.amazonaws.com", "eu-west-1"),
        ("s3-us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("b.s3.eu-west-1.amazonaws.com", "eu-west-1"),
        ("s3.cn-north-1.amazonaws.com.cn:443", "cn-north-1"),
        ("s3.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
        ("s3.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
    ],
)
def test_the_usual_endpoint_means_none(text: str, region: str | None) -> None:
    """The bucket's region is looked up when it names none; AWS_REGION wins, as ever."""
    found = load({"AWS_ENDPOINT": text, "WALSUP_ARCHIVE": "s3://b/p"})
    assert (found.endpoint, found.region) == (None, region)
    found = load({"AWS_ENDPOINT": text, "WALSUP_ARCHIVE": "s3://b/p", "AWS_REGION": "eu-1"})
    assert (found.endpoint, found.region) == (None, "eu-1")


def test_ca_cert_data_is_a_file_of_the_secrets_directory(tmp_path: Path) -> None:
    """KubeDB's secrets have it; a named file wins over it, and its content is not looked at."""
    (tmp_path / "CA_CERT_DATA").write_bytes(b"\xff")
    secrets = {"WALSUP_SECRETS_DIR": str(tmp_path)}
    assert load(secrets).ca_file == tmp_path / "CA_CERT_DATA"
    assert load(secrets | {"AWS_CA_BUNDLE": "/other.pem"}).ca_file == Path("/other.pem")
    assert load({}).ca_file is None


@pytest.mark.rule("secrets")
def test_secrets_of_the_engine_are_secrets() -> None:
    """They are cut from what is shown; where a key lies is none."""
    found = load({"WALG_LIBSODIUM_KEY": "hush", "WALG_LIBSODIUM_KEY_PATH": "/key", **KEYS})
    assert set(found.secrets) == {"hush", "k", "s"}


REFUSED: dict[str, tuple[str, ...]] = {
    "AWS_ENDPOINT": ("ftp://h", "h/path", "http://", "a b", "http://h:port", "http://:9000"),
    "WALSUP_ARCHIVE": (
        *("gs://b/p", "s3://b", "s3://b/", "s3:///p", "b/p", "file:///", "file://x/y", "/a/../b"),
        *("s3://b/a//b", "s3://b/../p", "s3://b c/p", "s3://b/./p"),
    ),
    "PGPORT": ("0", "65536", "²", "-1", "x", "9" * 400),
    "WALSUP_HTTP": ("host", ":0", "h:99999", "h:²"),
    "WALSUP_STOP_GRACE": ("4.9s", "x"),
    "WALSUP_STOP_PATIENCE": ("-1s", "soon"),
    "WALSUP_ARCHIVE_TIMEOUT": ("0", "0.4s", "25h", "9" * 400),
    "WALSUP_ENGINE": ("walg",),
    "WALSUP_COMPRESSION": ("brotli",),
    "WALSUP_INITIAL_BACKUP": ("maybe",),
    "PGDATA": ("data",),
    "POSTGRES_INITDB_ARGS": ("--x='",),
    "AWS_ACCESS_KEY_ID": ("alone",),
    "AWS_SECRET_ACCESS_KEY": ("alone",),
    "WALE_FILE_PREFIX": ("/x",),
    "WALE_GS_PREFIX": ("gs://b/p",),
    "WALSUP_SECRETS_DIR": ("/does/not/exist",),
    "POSTGRES_DB_FILE": ("/does/not/exist",),
}


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name, texts in REFUSED.items() for text in texts]
)
def test_refused(name: str, text: str) -> None:
    """One fault is one line, and it names the variable."""
    said = faults({"AWS_REGION": "r", name: text})
    assert said.startswith("1 of the settings are wrong:\n")
    assert name in said


def test_other_schemes_are_refused_with_the_reason() -> None:
    """Who comes with Google's or Azure's storage reads what this version can do."""
    assert "this version archives only to S3" in faults({"WALSUP_ARCHIVE": "gs://b/p"})


@pytest.mark.parametrize(
    "text", ["file:///srv/a", "file:///srv//a/", "file://localhost/srv/a", "/srv/a"]
)
@pytest.mark.parametrize("name", ["WALSUP_ARCHIVE", "WALG_FILE_PREFIX"])
def test_a_directory_needs_neither_region_nor_keys(name: str, text: str) -> None:
    """With a scheme, with WAL-E's host, or bare as WAL-G has it."""
    known = load({name: text})
    assert known.archive == FileArchive(directory="/srv/a")
    assert str(known.archive) == "file:///srv/a"
    assert name not in known.passed_on


@pytest.mark.parametrize(
    ("archive", "said"),
    [
        ("/srv/pg", "is inside PGDATA"),
        ("/srv/pg/archive", "is inside PGDATA"),
        ("/srv", "contains PGDATA"),
        ("/run/w/a", "is inside WALSUP_RUN_DIR"),
        ("/wal", "is inside POSTGRES_INITDB_WALDIR"),
    ],
)
def test_an_archive_in_the_data_directory_is_refused(archive: str, said: str) -> None:
    """What is lost with the disk is no archive."""
    own = {
        "PGDATA": "/srv/pg/",
        "POSTGRES_INITDB_WALDIR": "/wal",
        "WALSUP_RUN_DIR": "/run/w",
    }
    assert said in faults(own | {"WALSUP_ARCHIVE": f"file://{archive}"})
    assert load(own | {"WALSUP_ARCHIVE": "file:///srv/pg-archive"}).archive is not None


def test_all_faults_at_once(tmp_path: Path) -> None:
    """A person corrects everything in one go, and is told the nearest word."""
    (tmp_path / "empty").touch()
    said = faults(
        {
            "PGPORT": "none",
            "WALSUP_ENGINE": "walrsu",
            "WALSUP_STOP_GRACE": "1s",
            "AWS_ACCESS_KEY_ID": "only",
            "POSTGRES_PASSWORD_FILE": str(tmp_path / "empty"),
            "WALSUP_ARCHIVE": "s3://b/p",
        }
    )
    assert said.startswith("5 of the settings are wrong:\n")
    for part in ("PGPORT", "did you mean walrus", "WALSUP_STOP_GRACE", "AWS_ACCESS_KEY_ID"):
        assert part in said
    assert "empty" in said
    assert "HINT" in said


def test_a_fault_does_not_bring_another() -> None:
    """A wrong endpoint or an unreadable key is there: it is not reported as missing."""
    said = faults({"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY_FILE": "/does/not/exist"})
    assert "set both or neither" not in said


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("WALSUP_RESTORE", "WALSUP_RESTORE_FROM"),
        ("POSTGRES_PASWORD", "POSTGRES_PASSWORD"),
        ("POSTGRES_PASWORD_FILE", "POSTGRES_PASSWORD"),
        ("AWS_SECRET_ACCES_KEY", "AWS_SECRET_ACCESS_KEY"),
    ],
)
def test_nearest_name(name: str, near: str) -> None:
    """A misspelt name warns with the one that was meant."""
    assert load({name: "x"}).warnings == (f"{name} is not a setting; did you mean {near}?",)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("WALSUP_ARCHIV", "WALSUP_ARCHIVE"),
        ("WALSUP_ARCHVE", "WALSUP_ARCHIVE"),
        ("WALSUP_ARHCIVE", "WALSUP_ARCHIVE"),
        ("WALSUP_ARCHIVE_FLIE", "WALSUP_ARCHIVE_FILE"),
        ("WALSUP_ARCHIV_FILE", "WALSUP_ARCHIVE_FILE"),
        ("WALSUP_STOP_GRACE_S", "WALSUP_STOP_GRACE"),
        ("WALSUP_RESTORE_TRAGET_NAME", "WALSUP_RESTORE_TARGET_NAME"),
        ("WALSUP_ROEL", "WALSUP_ROLE"),
        ("WALSUP_HTTPS", "WALSUP_HTTP"),
        ("WALSUB_ARCHIVE", "WALSUP_ARCHIVE"),
        ("WASLUP_ARCHIVE", "WALSUP_ARCHIVE"),
        ("WALSUPARCHIVE", "WALSUP_ARCHIVE"),
        ("WALSUP__ARCHIVE", "WALSUP_ARCHIVE"),
        ("WALSUP-ARCHIVE", "WALSUP_ARCHIVE"),
        ("walsup_archive", "WALSUP_ARCHIVE"),
        ("WALSUP_ARCHIVE ", "WALSUP_ARCHIVE"),
    ],
)
def test_a_name_close_to_one_of_ours_is_a_fault(tmp_path: Path, name: str, near: str) -> None:
    """A file of the secrets directory is none: it may lie there for another program."""
    assert f"{name} is not a setting; did you mean {near}?" in faults({name: "x"})
    (tmp_path / name).write_text("x", encoding="utf-8")
    warnings = load({"WALSUP_SECRETS_DIR": str(tmp_path)}).warnings
    assert any(name in warning for warning in warnings) == name.startswith("WALSUP_")


def test_what_docker_and_kubernetes_set_is_no_fault() -> None:
    """A Service called walsup-archive, a linked container called walsup."""
    for name, text in {
        "WALSUP_ARCHIVE_SERVICE_HOST": "10.0.0.1",
        "WALSUP_ARCHIVE_SERVICE_PORT_HTTP": "80",
        "WALSUP_ARCHIVE_PORT": "tcp://10.0.0.1:80",
        "WALSUP_ARCHIVE_PORT_80_TCP_ADDR": "10.0.0.1",
        "WALSUP_ROLE_PORT_53_UDP_PROTO": "udp",
        "WALSUP_RESTORE_TARGET_NAM_NAME": "/web/db",
        "WALSUP_ENV_WALSUP_ARCHIV": "s3://b/p",
        "WALSUP_HOST": "x",
        "BACKUP_ARCHIVE": "x",
    }.items():
        load({name: text})


def test_unknown_names_only_warn() -> None:
    """Kubernetes gives every pod the variables of a service called walsup."""
    environ = {
        "WALSUP_SERVICE_HOST": "10.0.0.1",
        "WALSUP_SERVICE_PORT": "5432",
        "WALSUP_PORT_5432_TCP": "tcp://10.0.0.1:5432",
    }
    warnings = load(environ).warnings
    assert {warning.split()[0] for warning in warnings} == environ.keys()
    assert load({"POSTGRES_SERVICE_HOST": "x", "HOME": "/", "PGHOST": "x"}).warnings == ()


def test_what_passes_to_the_engine(tmp_path: Path) -> None:
    """WALG_* and AWS_* that walsup does not own, files of the engine's own included."""
    engines = {
        "WALG_LIBSODIUM_KEY": "x",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/token",
        "WALG_UPLOAD_DISK_CONCURRENCY": "2",
    }
    (tmp_path / "WALG_PGP_KEY").write_text("pgp\n", encoding="utf-8")
    found = load(engines | KEYS | {"HOME": "/", "WALSUP_SECRETS_DIR": str(tmp_path)})
    assert found.passed_on == engines | {"WALG_PGP_KEY": "pgp"}


def test_relevant_is_all_that_load_reads(tmp_path: Path) -> None:
    """The agent reads from that part what prepare reads from all."""
    (tmp_path / "it").write_text("text", encoding="utf-8")
    targets = ("_LSN", "_XID", "_NAME", "_IMMEDIATE")
    standbys = ("WALSUP_ROLE", "WALSUP_PRIMARY_CONNINFO")  # what is restored is none
    environ = {
        name: text
        for name, (text, _) in EXAMPLES.items()
        if name not in ("POSTGRES_DB", *standbys) and not name.endswith(targets)
    }
    environ |= {"POSTGRES_DB_FILE": str(tmp_path / "it"), "WALG_X": "1", "WALSUP_TYPO": "1"}
    assert relevant(environ | {"HOME": "/", "OTHER_SECRET": "x"}) == environ
    assert load(relevant(environ)) == load(environ)


def _variable(_: Path, name: str, text: str) -> dict[str, str]:
    return {name: text}


def _file(folder: Path, name: str, text: str) -> dict[str, str]:
    (folder / "it").write_text(text, encoding="utf-8")
    return {f"{name}_FILE": str(folder / "it")}


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("place", [_variable, _file])
def test_secrets_are_shown_nowhere(
    tmp_path: Path, name: str, place: Callable[[Path, str, str], dict[str, str]]
) -> None:
    """Neither a fault beside it nor the printed settings show a secret."""
    text = "hush-hush" if name != "WALSUP_PRIMARY_CONNINFO" else "host=db password=hush-hush"
    environ = place(tmp_path, name, text) | companions(name)
    assert "hush-hush" not in faults(environ | {"PGPORT": "x"})
    assert "hush-hush" not in repr(load(environ | {"WALG_KEY": "hush-hush"}))


def test_secret_that_is_no_text(tmp_path: Path) -> None:
    """The decoder's words would show a byte."""
    (tmp_path / "it").write_bytes(b"\xff\xfehush")
    said = faults({"POSTGRES_PASSWORD_FILE": str(tmp_path / "it")})
    assert "it is not text" in said
    assert "0xff" not in said


@pytest.mark.parametrize("name", ["AWS_ENDPOINT", "WALSUP_ARCHIVE"])
def test_keys_in_a_url_are_not_shown(name: str) -> None:
    """A URL with a key in it is refused without being repeated."""
    scheme = "s3" if name == "WALSUP_ARCHIVE" else "https"
    said = faults({name: f"{scheme}://key:hush@host/p", "AWS_REGION": "r"})
    assert name in said
    assert "hush" not in said


# What an environment can hold: no NUL.
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(st.dictionaries(st.sampled_from([*ROWS, "AWS_ENDPOINT_URL", "WALSUP_X"]), TEXTS))
def test_any_text_is_read_or_refused(environ: dict[str, str]) -> None:
    """No text of an operator raises anything but the settings' own error."""
    with contextlib.suppress(SettingsError):
        load(environ)
