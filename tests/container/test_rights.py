"""Any uid, a read-only root, no capability: what a hardened cluster demands."""

import os
from collections.abc import Callable

import pytest

from dev.containers import PGDATA, Box, S3Box
from dev.harness.checks.witness import wait_protected

Make = Callable[..., Box]

_HARDENED = (
    *("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
    *("--tmpfs", "/run", "--tmpfs", "/tmp"),
)


@pytest.mark.parametrize("user", ["999:999", "12345:54321"])
@pytest.mark.rule("any-uid")
def test_any_user_without_any_right(box: Make, s3: S3Box, user: str) -> None:
    """Data, /run and /tmp are all it writes; initdb, archive, base backup and stop work."""
    one = box(archive=s3, flags=[*_HARDENED, "--user", user])
    folder = one.folder / "data"
    folder.mkdir(mode=0o700)
    os.chown(folder, *map(int, user.split(":")))
    one.flags += ["--volume", f"{folder}:{PGDATA}"]
    one.run()
    one.wait_accepts()
    wait_protected(one, timeout_s=150)
    assert one.exec("psql", "-U", "postgres", "-Atc", "select 1") == "1"
    assert one.exec("id", "-u") == user.partition(":")[0]
    one.exec("walsup-healthy")
    assert one.stop() == 0
    assert "is in the bucket: yes" in one.last_word()
    one.start()
    one.wait_accepts()


def test_a_sub_directory_makes_any_volume_fit(box: Make) -> None:
    """A volume at the usual place belongs to `postgres`: others, 0's group too, take one below."""
    flags = [*_HARDENED, "--user", "12345:0"]
    one = box(flags=flags).volume().run()
    assert one.wait() == 68
    assert "sub-directory" in one.last_word()
    one.environment["PGDATA"] = f"{PGDATA}/pgdata"
    one.run()
    one.wait_accepts()


def test_root_takes_over_a_volume_of_anybody(box: Make) -> None:
    """A directory of the host, which docker makes for root, becomes `postgres`'s."""
    one = box()
    folder = one.folder / "data"
    folder.mkdir(mode=0o755)
    one.flags += ["--volume", f"{folder}:{PGDATA}"]
    one.run()
    one.wait_accepts()
    assert folder.stat().st_uid == 999
    assert one.stop() == 0


def test_root_without_its_capabilities_is_told_what_to_do(box: Make) -> None:
    """Root in name only can become nobody: the message names --user's remedy."""
    one = box(flags=_HARDENED).volume().run()
    assert one.wait() == 68
    assert "start as the database's own user" in one.last_word()
