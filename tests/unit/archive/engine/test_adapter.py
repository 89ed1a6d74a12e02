"""The adapter: which engine, its configuration."""

import json
from pathlib import Path

import pytest

from walsup import settings
from walsup.archive.engine.adapter import Engine, choose, push_timeout_s, render
from walsup.archive.faults import Fault

SEGMENT = "000000010000000000000001"
BASE = {
    "WALSUP_ARCHIVE": "s3://bucket/prefix",
    "AWS_ENDPOINT": "http://s3:9000",
    "AWS_ACCESS_KEY_ID": "the-key",
    "AWS_SECRET_ACCESS_KEY": "the-secret",
    "AWS_SESSION_TOKEN": "the-token",
}


def program(folder: Path, name: str, text: str = "") -> Path:
    """An executable."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)
    return folder / name


@pytest.mark.parametrize(
    ("present", "wanted", "found"),
    [
        (("wal-g", "walg-daemon-client", "walrus"), "auto", "wal-g"),
        (("walrus",), "auto", "walrus"),
        (("walrus", "walg-daemon-client"), "auto", "walrus"),
        (("wal-g", "walg-daemon-client", "walrus"), "walrus", "walrus"),
        (("wal-g", "walrus"), "walrus", "walrus"),
        (("wal-g", "walrus"), "auto", "wal-g"),
    ],
)
def test_choice(tmp_path: Path, present: tuple[str, ...], wanted: str, found: str) -> None:
    """`auto` takes wal-g when it is there, else walrus; the client wherever it is installed."""
    for name in present:
        program(tmp_path, name)
    chosen = choose(settings.load({"WALSUP_ENGINE": wanted}), str(tmp_path))
    client = tmp_path / "walg-daemon-client" if "walg-daemon-client" in present else None
    assert chosen == Engine(name=found, program=tmp_path / found, client=client)


@pytest.mark.parametrize(
    ("present", "wanted", "missing"),
    [
        ((), "auto", "walrus"),
        (("walrus",), "wal-g", "wal-g"),
        (("wal-g", "walg-daemon-client"), "walrus", "walrus"),
    ],
)
def test_missing(tmp_path: Path, present: tuple[str, ...], wanted: str, missing: str) -> None:
    """What is missing is named, and is a fault: the database runs all the same."""
    for name in present:
        program(tmp_path, name)
    chosen = choose(settings.load({"WALSUP_ENGINE": wanted}), str(tmp_path))
    assert isinstance(chosen, Fault)
    assert missing in chosen.problem


def test_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative PATH is not relative to the data directory, where the archiver runs."""
    program(tmp_path / "bin", "walrus")
    program(tmp_path / "bin", "walg-daemon-client")
    monkeypatch.chdir(tmp_path)
    chosen = choose(settings.load({}), "bin")
    assert isinstance(chosen, Engine)
    assert chosen.program == tmp_path / "bin" / "walrus"
    assert chosen.client == tmp_path / "bin" / "walg-daemon-client"


@pytest.mark.parametrize("name", ["wal-g", "walrus"])
@pytest.mark.rule("secrets")
def test_no_secret_in_an_argv(name: str) -> None:
    """Secrets are in the 0600 configuration only, which is named."""
    engine = Engine(name=name, program=Path("/e"), client=Path("/c"))
    config = Path("/run/engine.json")
    assert engine.daemon_argv(config, Path("/s")) == ["/e", "--config", str(config), "daemon", "/s"]
    for argv in (
        engine.backup_argv(config, Path("/data")),
        engine.fetch_argv(config, SEGMENT, Path("/target")),
    ):
        assert argv[argv.index("/e") :][:3] == ["/e", "--config", str(config)]
    assert "--full" in engine.backup_argv(config, Path("/data"))


@pytest.mark.parametrize(
    ("name", "option"), [("wal-g", "--add-user-data"), ("walrus", "--user-data")]
)
def test_a_note_goes_with_a_backup(name: str, option: str) -> None:
    """In each engine's own words, and not at all when there is nothing to say."""
    engine = Engine(name=name, program=Path("/e"), client=None)
    argv = engine.backup_argv(Path("/c"), Path("/data"), "{}")
    assert argv[-3:] == [option, "{}", "/data"]
    assert option not in engine.backup_argv(Path("/c"), Path("/data"))


def rendered(environ: dict[str, str]) -> dict[str, str]:
    """The configuration for these settings beside the usual ones."""
    known = settings.load(BASE | environ)
    text = render(
        known,
        engine="walrus",
        compression="zstd",
        socket_dir="/sock",
        port=5433,
        segment_bytes=1 << 24,
    )
    fields: dict[str, str] = json.loads(text)
    return fields


def test_configuration() -> None:
    """Everything that walsup owns is in it, all values are text."""
    assert rendered({}) == {
        "WALG_UPLOAD_CONCURRENCY": "4",
        "WALG_S3_MAX_RETRIES": "7",
        "S3_ENABLE_VERSIONING": "disabled",
        "WALG_DISABLE_PARTIAL_RESTORE": "true",
        "WALG_S3_PREFIX": "s3://bucket/prefix",
        "WALG_COMPRESSION_METHOD": "zstd",
        "WALG_PREVENT_WAL_OVERWRITE": "true",
        "WALG_PG_WAL_SIZE": "16",
        "WALG_DAEMON_WAL_UPLOAD_TIMEOUT": "15s",
        "PGDATA": "/var/lib/postgresql/data",
        "PGHOST": "/sock",
        "PGPORT": "5433",
        "PGUSER": "postgres",
        "PGDATABASE": "postgres",
        "AWS_ENDPOINT": "http://s3:9000",
        "AWS_S3_FORCE_PATH_STYLE": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "the-key",
        "AWS_SECRET_ACCESS_KEY": "the-secret",
        "AWS_SESSION_TOKEN": "the-token",
    }


def test_amazon_has_no_endpoint() -> None:
    """Then neither endpoint nor path style is rendered, and the region is the operator's."""
    found = rendered({"AWS_ENDPOINT": "s3.amazonaws.com", "AWS_REGION": "eu-1"})
    assert "AWS_ENDPOINT" not in found
    assert "AWS_S3_FORCE_PATH_STYLE" not in found
    assert found["AWS_REGION"] == "eu-1"


@pytest.mark.parametrize("endpoint", ["", "s3-fips.us-gov-west-1.amazonaws.com"])
def test_the_engine_gets_the_endpoint_that_walsup_asks(endpoint: str) -> None:
    """Also where a region has another domain than Amazon's common one, which it may not know."""
    found = rendered({"AWS_ENDPOINT": endpoint, "AWS_REGION": "cn-north-1"})
    expected = endpoint or "s3.cn-north-1.amazonaws.com.cn"
    assert found["AWS_ENDPOINT"] == f"https://{expected}"


@pytest.mark.parametrize(
    "name",
    [
        "WALG_PREVENT_WAL_OVERWRITE",
        "WALG_COMPRESSION_METHOD",
        "WALG_DAEMON_WAL_UPLOAD_TIMEOUT",
        "AWS_S3_FORCE_PATH_STYLE",
    ],
)
def test_what_passes_cannot_override_what_is_owned(name: str) -> None:
    """S6 and S23 hold whatever stands in the container's environment."""
    assert rendered({name: "theirs"}) == rendered({})


def test_what_is_not_owned_passes() -> None:
    """An operator tunes and encrypts with the engine's own settings."""
    found = rendered({"WALG_LIBSODIUM_KEY": "k", "WALG_UPLOAD_CONCURRENCY": "16"})
    assert found["WALG_LIBSODIUM_KEY"] == "k"
    assert found["WALG_UPLOAD_CONCURRENCY"] == "16"


@pytest.mark.parametrize(("grace_s", "push_s"), [(5, 2), (10, 2), (12, 2), (25, 15), (70, 60)])
@pytest.mark.rule("stop-ladder")
def test_push_timeout_leaves_time(grace_s: float, push_s: float) -> None:
    """At most the grace minus 10 s, and never so short that nothing gets through."""
    assert push_timeout_s(grace_s, 60) == push_s


@pytest.mark.parametrize(("lease_s", "push_s"), [(15, 15), (5, 8), (1, 1.6)])
@pytest.mark.rule("one-owner", "fencing")
def test_a_push_ends_before_another_may_write(lease_s: float, push_s: float) -> None:
    """One that began at 2.4 leases has ended at 4."""
    assert push_timeout_s(25, lease_s) == pytest.approx(push_s)


def test_only_walg_without_its_client_has_no_daemon() -> None:
    """walrus has a client of its own."""
    assert Engine(name="walrus", program=Path("/w"), client=None).has_daemon
    assert Engine(name="wal-g", program=Path("/w"), client=Path("/c")).has_daemon
    assert not Engine(name="wal-g", program=Path("/w"), client=None).has_daemon
