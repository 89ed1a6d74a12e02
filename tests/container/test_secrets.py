"""A secret that is rotated on the disk is taken into use in the running container."""

import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.containers import Box, S3Box
from dev.harness.checks.witness import Ledger, status, wait_fault, wait_no_lag, wait_protected
from dev.harness.storage.rights import LEAST_PREFIX

Make = Callable[..., Box]

_NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def _publish(folder: Path, version: str, values: tuple[str, str]) -> None:
    """Swap a symlink as Kubernetes does; the files are links through it."""
    data = folder / version
    data.mkdir()
    for name, value in zip(_NAMES, values, strict=True):
        (data / name).write_text(value)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(Path("..data", name))
    fresh = folder / "..data_tmp"
    fresh.symlink_to(version)
    fresh.rename(folder / "..data")


@pytest.mark.rule("secrets")
def test_a_rotated_secret_is_followed(box: Make, s3: S3Box) -> None:
    """A wrong one is named and not taken; another key is used without a restart."""
    one = box(
        archive=s3,
        env={
            "WALSUP_SECRETS_DIR": "/secrets",
            "WALSUP_ARCHIVE": f"s3://{s3.bucket}/{LEAST_PREFIX}/{secrets.token_hex(4)}",
            "WALSUP_ARCHIVE_TIMEOUT": "2s",
        },
    )
    folder = one.folder / "secrets"
    folder.mkdir()
    one.flags += ["--volume", f"{folder}:/secrets:ro"]
    for name in _NAMES:
        del one.environment[name]
    _publish(folder, "..1", (s3.access_key, s3.secret_key))
    one.run()
    one.wait_accepts()
    wait_protected(one, timeout_s=150)
    with Ledger(one) as ledger:
        _publish(folder, "..2", (s3.access_key, "wrong"))
        assert wait_fault(one, "secrets", timeout_s=60)["kind"] == "auth"
        assert status(one)["gate"]["state"] == "open"
        _publish(folder, "..3", ("least", "secret-least"))
        one.wait_for(lambda: _reloaded(one), "the other key is taken into use")
    assert ledger.failures == 0
    wait_no_lag(one, timeout_s=150)
    wait_protected(one, timeout_s=150)
    # The key is in no environment that docker shows.
    assert s3.secret_key not in str(one.inspect())
    assert "secret-least" not in one.log()


def test_compose_secrets_of_root_alone_work_for_every_file(box: Make, s3: S3Box) -> None:
    """Bind mounts of the host's files with mode 0600, as docker-compose makes them."""
    one = box(archive=s3)
    for name in (*_NAMES, "WALSUP_ARCHIVE"):
        file = one.folder / name.lower()
        file.write_text(one.environment.pop(name) + "\n")
        file.chmod(0o600)
        one.flags += ["--volume", f"{file}:/run/secrets/{name.lower()}:ro"]
        one.environment[f"{name}_FILE"] = f"/run/secrets/{name.lower()}"
    one.run()
    one.wait_accepts()
    wait_protected(one, timeout_s=150)
    assert one.stop() == 0
    assert "is in the bucket: yes" in one.last_word()


def _reloaded(one: Box) -> bool:
    return any(event["changed"] for event in one.events("settings.reloaded"))
