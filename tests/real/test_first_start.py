"""What a first start meets: misspelt names, secret files of root's, the default stop grace."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.harness import FaultProxy, S3Server, Walsup
from dev.harness.checks.witness import verdict, wait_protected

Make = Callable[..., Walsup]

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def test_a_misspelt_name_is_an_error_that_names_the_near_one(walsup: Make, s3: S3Server) -> None:
    """No new cluster runs without the archive that was meant."""
    one = walsup()
    one.environment["WALSUP_ARCHIV"] = one.environment.pop("WALSUP_ARCHIVE")
    assert one.start().wait() == 64
    assert "WALSUP_ARCHIV is not a setting; did you mean WALSUP_ARCHIVE?" in verdict(one)
    assert not list(one.pgdata.iterdir())
    assert not s3.keys(one.prefix)


def test_the_variables_of_a_service_called_walsup_are_no_error(walsup: Make) -> None:
    """Kubernetes sets them in every pod of the namespace; its own says where a stop's time is."""
    of_services = {
        "KUBERNETES_SERVICE_HOST": "10.0.0.1",
        "WALSUP_SERVICE_HOST": "10.0.0.2",
        "WALSUP_PORT": "tcp://10.0.0.2:5432",
        "WALSUP_PORT_5432_TCP": "tcp://10.0.0.2:5432",
        "WALSUP_ARCHIVE_PORT": "tcp://10.0.0.3:8333",
        "WALSUP_ARCHIVE_SERVICE_HOST": "10.0.0.3",
    }
    one = walsup(s3=None, env={**of_services, "WALSUP_STOP_GRACE": None}).start()
    one.wait_accepts()
    assert one.stop() == 0
    assert one.wait_event("stop.asked")["grace_s"] == 25


def test_secret_files_that_only_root_can_read_are_used(walsup: Make) -> None:
    """As Compose mounts them: one file for each, or a directory closed to others."""
    one = walsup()
    secrets = one.layout.base / "secrets"
    secrets.mkdir(mode=0o700)
    for name in KEYS:
        (secrets / name).write_text(one.environment.pop(name) + "\n", encoding="utf-8")
        (secrets / name).chmod(0o600)
        one.environment[f"{name}_FILE"] = str(secrets / name)
    wait_protected(one.start())
    assert {event["setting"] for event in one.events("secret.copied")} == {
        f"{name}_FILE" for name in KEYS
    }
    for copy in one.run_dir.glob("given-*"):
        assert copy.stat().st_mode & 0o777 == 0o600
    assert one.stop() == 0
    for name in KEYS:
        del one.environment[f"{name}_FILE"]
    one.environment["WALSUP_SECRETS_DIR"] = str(secrets)
    wait_protected(one.start())
    assert not list(one.run_dir.glob("given-*_FILE"))
    assert one.stop() == 0
    # What the database's user can read is read where it is: a change is followed.
    secrets.chmod(0o755)
    for name in KEYS:
        (secrets / name).chmod(0o644)
    wait_protected(one.start())
    assert not one.events("secret.copied")
    assert one.stop() == 0


def test_a_secrets_directory_that_cannot_be_read_is_named(walsup: Make) -> None:
    """The directory, not a file that has not been asked for."""
    one = walsup()
    secrets = Path(one.layout.base / "secrets")
    secrets.mkdir(mode=0o700)
    one.environment["WALSUP_SECRETS_DIR"] = str(secrets)
    user = one.machine.db_user
    if user is None:
        pytest.fail("needs root, to start as another user")
    one.program = [
        *("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"),
        *one.program,
    ]
    assert one.start().wait() == 64
    assert f"WALSUP_SECRETS_DIR: {secrets} cannot be read: Permission denied" in verdict(one)
    assert "CA_CERT_DATA" not in verdict(one)


def test_the_default_stop_grace_is_shorter_than_dockers(walsup: Make, s3: S3Server) -> None:
    """The verdict comes while the bucket hangs; a push still has the time that it had."""
    with FaultProxy(s3.port) as proxy:
        one = walsup(endpoint=proxy.endpoint, env={"WALSUP_STOP_GRACE": None}).start()
        wait_protected(one)
        engine = (one.run_dir / "engine.json").read_text(encoding="utf-8")
        assert '"WALG_DAEMON_WAL_UPLOAD_TIMEOUT": "15s"' in engine
        one.psql("create table t as select 1 n")
        proxy.hang()
        assert one.stop() == 0
        assert one.wait_event("stop.asked")["grace_s"] == 8
        assert "is in the bucket: no" in verdict(one)
    shutil.rmtree(one.pgdata)
    del one.environment["WALSUP_ARCHIVE"]
    one.start().wait_accepts()
    assert one.stop() == 0
    assert one.wait_event("stop.asked")["grace_s"] == 25
