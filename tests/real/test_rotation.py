"""Rotated secret files are taken into use by themselves, while WAL is written."""

import functools
import secrets
from collections.abc import Callable
from pathlib import Path
from signal import SIGHUP

import pytest

from dev.harness import FaultProxy, S3Server, Walsup
from dev.harness.checks.witness import (
    Ledger,
    segments,
    status,
    wait_fault,
    wait_no_lag,
    wait_protected,
)
from dev.harness.storage.rights import LEAST_PREFIX

Make = Callable[..., Walsup]


def _publish(folder: Path, version: str, files: dict[str, str]) -> None:
    """Swap a symlink as Kubernetes does; the files are links through it."""
    data = folder / version
    data.mkdir()
    for name, text in files.items():
        (data / name).write_text(text)
        link = folder / name
        if not link.is_symlink():
            link.symlink_to(Path("..data", name))
    fresh = folder / "..data_tmp"
    fresh.symlink_to(version)
    fresh.rename(folder / "..data")


@pytest.mark.rule("secrets")
def test_a_secret_swapped_as_kubernetes_does_is_followed(walsup: Make, s3: S3Server) -> None:
    """Wrong ones are named and not taken; a moment without files is no news."""
    one = walsup(env={"WALSUP_ARCHIVE_TIMEOUT": "2s"})
    folder = one.pgdata.parent / "secrets"
    folder.mkdir()
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    good = {name: one.environment.pop(name) for name in names}
    _publish(folder, "..1", good)
    one.environment["WALSUP_SECRETS_DIR"] = str(folder)
    one.start()
    wait_protected(one)
    with Ledger(one) as ledger:
        _publish(folder, "..2", good | {"AWS_SECRET_ACCESS_KEY": "wrong"})
        assert wait_fault(one, "secrets")["kind"] == "auth"
        assert status(one)["gate"]["state"] == "open"
        (folder / "..data").unlink()
        _publish(folder, "..3", good)
        one.wait_for(lambda: "secrets" not in status(one)["faults"], "the fault has gone")
    assert ledger.failures == 0
    wait_no_lag(one)
    wait_protected(one)
    assert s3.keys(one.prefix)


@pytest.mark.rule("secrets")
def test_a_rotated_key_is_used_before_and_after_the_old_one_is_revoked(
    walsup: Make, s3: S3Server
) -> None:
    """Between two pushes under load; and when the old one was revoked before the files changed."""
    with FaultProxy(s3.port) as proxy:
        one = walsup(
            endpoint=proxy.endpoint,
            prefix=f"{LEAST_PREFIX}/{secrets.token_hex(4)}",
            env={"WALSUP_ARCHIVE_TIMEOUT": "2s"},
        )
        folder = one.pgdata.parent / "secrets"
        folder.mkdir()
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        first = {name: one.environment.pop(name) for name in names}
        second = dict(zip(names, ("least", "secret-least"), strict=True))
        _publish(folder, "..1", first)
        one.environment["WALSUP_SECRETS_DIR"] = str(folder)
        one.start()
        wait_protected(one)
        one.tools.pgbench_init(one.address, scale=1)
        bench = one.tools.pgbench(one.address, duration_s=12)
        _publish(folder, "..2", second)
        one.wait_for(lambda: _rotations(one) == 1, "the second key is used")
        # While the gate is still being opened anew for the one before.
        for version, key in (("..3", first), ("..4", second)):
            before = _rotations(one)
            _publish(folder, version, key)
            one.signal(SIGHUP)
            one.wait_for(functools.partial(_is_rotated, one, before), "the next key is used")
        proxy.revoke(first["AWS_ACCESS_KEY_ID"])
        assert bench.result().is_clean
        wait_no_lag(one)
        wait_protected(one)
        proxy.revoke("least")
        one.psql("create table t (n int)")
        one.psql("select pg_switch_wal()")
        assert wait_fault(one, "bucket")["kind"] == "auth"
        _publish(folder, "..5", first)
        one.wait_for(lambda: _rotations(one) == 4, "the first key is used again")
        wait_no_lag(one)
        wait_protected(one)
        assert _gapless(segments(s3, one.prefix))


def test_a_rotation_does_not_make_the_audit_begin_again(walsup: Make, s3: S3Server) -> None:
    """The lease of the new credentials continues the one before: a round that ended still counts.

    Each answer is late, so that a round that began again would be seen for seconds.
    """
    with FaultProxy(s3.port) as proxy:
        one = walsup(
            endpoint=proxy.endpoint,
            prefix=f"{LEAST_PREFIX}/{secrets.token_hex(4)}",
        )
        folder = one.pgdata.parent / "secrets"
        folder.mkdir()
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        first = {name: one.environment.pop(name) for name in names}
        second = dict(zip(names, ("least", "secret-least"), strict=True))
        _publish(folder, "..1", first)
        one.environment["WALSUP_SECRETS_DIR"] = str(folder)
        one.start()
        wait_protected(one)
        proxy.delay(0.3)
        opened = len(one.events("gate.opened"))
        _publish(folder, "..2", second)
        one.signal(SIGHUP)
        states = set()

        def has_reopened() -> bool:
            states.add(status(one)["audit"]["state"])
            return len(one.events("gate.opened")) > opened

        one.wait_for(has_reopened, "the archive is claimed with the second key")
        before = status(one)["audit"]["looked_at"]

        def has_looked() -> bool:
            seen = status(one)["audit"]
            states.add(seen["state"])
            return bool(seen["looked_at"] > before and seen["state"] == "passed")

        one.wait_for(has_looked, "a round ends after it")
        assert states == {"passed"}
        wait_protected(one)


def _rotations(one: Walsup) -> int:
    return len([e for e in one.events("settings.reloaded") if e["changed"]])


def _is_rotated(one: Walsup, before: int) -> bool:
    return _rotations(one) > before


def _gapless(names: list[str]) -> bool:
    numbers = [int(name[8:16], 16) * 256 + int(name[16:], 16) for name in names]
    return numbers == list(range(numbers[0], numbers[-1] + 1))
