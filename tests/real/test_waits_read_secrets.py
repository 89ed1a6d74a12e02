"""S28: a start that waits reads its secrets again, and a fetch goes on with new keys."""

import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev.harness import FaultProxy, Machine, S3Server, Walsup
from dev.harness.checks.witness import wait_no_lag, wait_protected
from dev.harness.storage.certificates import make_certificates
from dev.harness.storage.rights import LEAST_PREFIX
from dev.harness.storage.temporary_keys import TemporaryKeys
from walsup.archive.engine import key_server

Make = Callable[..., Walsup]
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
PART = "/tar_partitions/"
ROWS = "select count(*) from t"


@pytest.fixture(scope="module")
def archive(machine: Machine, s3: S3Server) -> Iterator[str]:
    """The prefix of an archive with a base backup and a table, which a limited key may read."""
    prefix = f"{LEAST_PREFIX}/{secrets.token_hex(4)}"
    with Walsup(machine, s3=s3, prefix=prefix) as one:
        one.start()
        wait_protected(one)
        one.psql("create table t as select generate_series(1, 5) n")
        one.psql("select pg_switch_wal()")
        wait_no_lag(one)
        assert one.stop() == 0
        yield prefix


def published(one: Walsup, *values: str) -> Path:
    """Put keys into a folder of secrets, in place of the variables, and return the folder."""
    folder = one.pgdata.parent / "secrets"
    folder.mkdir(exist_ok=True)
    for name, text in zip(KEYS, values, strict=False):
        one.environment.pop(name, None)
        (folder / name).write_text(text + "\n")
    return folder


def waits_for(one: Walsup, kind: str) -> None:
    """Return when prepare says that it waits because of this."""
    one.wait_for(lambda: f"({kind})" in one.state().get("detail", ""), f"waits: {kind}")


def test_a_new_cluster_that_waits_takes_the_right_secret(walsup: Make) -> None:
    """A wrong secret in NAME_FILE is put right: no start is needed for it."""
    one = walsup()
    file = one.pgdata.parent / "secret"
    right = one.environment.pop("AWS_SECRET_ACCESS_KEY")
    file.write_text("wrong")
    one.environment["AWS_SECRET_ACCESS_KEY_FILE"] = str(file)
    one.start()
    waits_for(one, "auth")
    file.unlink()  # for a moment, as it is replaced
    one.wait_event("settings.wrong")
    file.write_text(right)
    wait_protected(one)
    assert one.stop() == 0


@pytest.mark.parametrize("what", ["standby", "clone"])
def test_a_copy_that_waits_takes_the_right_secret(
    walsup: Make, s3: S3Server, archive: str, what: str
) -> None:
    """As a standby of the own archive, and out of a source with a folder of its own."""
    if what == "standby":
        one = walsup(prefix=archive, env={"WALSUP_ROLE": "standby"})
        one.environment["WALSUP_SECRETS_DIR"] = str(published(one, s3.access_key, "wrong"))
    else:
        one = walsup(s3=None)
        one.environment |= {
            "WALSUP_RESTORE_FROM": f"s3://{s3.bucket}/{archive}",
            "RESTORE_AWS_ENDPOINT": s3.endpoint,
            "WALSUP_RESTORE_SECRETS_DIR": str(published(one, s3.access_key, "wrong")),
        }
    one.start()
    waits_for(one, "auth")
    published(one, s3.access_key, s3.secret_key)
    one.wait_accepts(timeout_s=60)
    one.wait_for(lambda: one.psql("select to_regclass('t')"), "all is replayed")
    assert one.psql(ROWS) == "5"
    assert one.stop() == 0


def test_a_fetch_begins_again_with_new_keys_when_the_old_ones_are_revoked(
    walsup: Make, s3: S3Server, archive: str, engine: str
) -> None:
    """Revoked in the middle of the base backup, before the files have the new ones."""
    with FaultProxy(s3.port) as proxy:
        one = walsup(prefix=archive, endpoint=proxy.endpoint, engine=engine)
        folder = published(one, "least", "secret-least")
        one.environment |= {
            "WALSUP_SECRETS_DIR": str(folder),
            "WALSUP_ON_EMPTY_PGDATA": "restore",
        }
        proxy.delay(0.2)
        one.start()
        one.wait_event("restore.began")
        proxy.revoke("least")
        waits_for(one, "auth")
        proxy.pass_through()
        published(one, s3.access_key, s3.secret_key)
        one.wait_accepts(timeout_s=90)
        assert one.psql(ROWS) == "5"
        assert one.stop() == 0


def test_a_fetch_outlives_its_temporary_keys(
    walsup: Make, s3: S3Server, archive: str, engine: str
) -> None:
    """The running engine takes new keys, though what lends them was killed: nothing comes twice."""
    with TemporaryKeys(s3) as keys:
        keys.tokens = {"token-1"}
        clone = walsup(s3=None, engine=engine)
        folder = published(clone, "key-1", "secret-1", "token-1")
        clone.environment |= {
            "WALSUP_RESTORE_FROM": f"s3://{s3.bucket}/{archive}",
            "RESTORE_AWS_ENDPOINT": keys.endpoint,
            "WALSUP_RESTORE_SECRETS_DIR": str(folder),
        }
        keys.hold(f"{PART}part_")
        clone.start()
        clone.wait_for(lambda: keys.times(f"{PART}part_"), "the first part is asked for")
        _kill_key_server(clone)
        keys.tokens = {"token-1", "token-2"}
        published(clone, "key-2", "secret-2", "token-2")
        clone.wait_event("settings.reloaded")
        over_s = time.monotonic() + key_server.KEPT_S + 1
        clone.wait_for(lambda: time.monotonic() > over_s, "what was lent before is over")
        keys.tokens = {"token-2"}
        keys.release()
        clone.wait_accepts(timeout_s=90)
        assert clone.psql(ROWS) == "5"
        parts = [(what, token) for what, token in keys.asked if "GET" in what and PART in what]
        assert len(parts) == len({what for what, _ in parts})
        assert "token-2" in {token for _, token in parts}
        assert clone.stop() == 0


def test_a_base_backup_outlives_its_temporary_keys(walsup: Make, s3: S3Server, engine: str) -> None:
    """The running engine takes the new keys that the agent has tried: it is not taken again.

    Nor when the program that lends them is killed meanwhile.
    """
    with TemporaryKeys(s3) as keys:
        keys.tokens = {"token-1"}
        one = walsup(engine=engine, endpoint=keys.endpoint)
        folder = published(one, "key-1", "secret-1", "token-1")
        one.environment["WALSUP_SECRETS_DIR"] = str(folder)
        keys.hold(f"{PART}part_")
        one.start()
        one.wait_for(lambda: keys.times(f"{PART}part_"), "the first part is uploaded")
        _kill_key_server(one)
        keys.tokens = {"token-1", "token-2"}
        published(one, "key-2", "secret-2", "token-2")
        one.wait_event("settings.reloaded")
        over_s = time.monotonic() + key_server.KEPT_S + 2
        one.wait_for(lambda: time.monotonic() > over_s, "what was lent before is over")
        keys.tokens = {"token-2"}
        keys.release()
        wait_protected(one)
        assert len(one.events("backup.began")) == 1
        assert one.stop() == 0


def _kill_key_server(one: Walsup) -> None:
    """Kill the program that answers the engine, and wait until there is another one."""
    (found,) = (
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if b"key_server.py" in (line := _read(path)) and bytes(one.layout.base) in line
    )
    os.kill(found, signal.SIGKILL)
    one.wait_event("keys.server_restarted")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # it has ended


def test_a_changed_ca_file_is_followed(walsup: Make, s3: S3Server, tmp_path: Path) -> None:
    """Wrong at first, for the start that waits; changed later, for the agent and its engine."""
    one = walsup(endpoint=s3.https_endpoint)
    file = one.pgdata.parent / "ca.pem"
    make_certificates(tmp_path)
    others = (tmp_path / s3.ca_file.name).read_bytes()
    file.write_bytes(others)
    one.environment["WALSUP_CA_FILE"] = str(file)
    one.start()
    waits_for(one, "tls")
    file.write_bytes(s3.ca_file.read_bytes())
    wait_protected(one)
    before = len(one.events("settings.reloaded"))
    file.write_bytes(others + s3.ca_file.read_bytes())
    one.wait_for(lambda: one.events("settings.reloaded")[before:], "the agent takes it")
    one.psql("create table t (n int)")
    one.psql("select pg_switch_wal()")
    wait_no_lag(one)
    wait_protected(one)
    assert one.stop() == 0
