"""Any uid, a read-only root, no capability: what a hardened cluster demands."""

from collections.abc import Callable

import pytest

from dev.containers import Box, S3Box
from dev.harness.witness import wait_protected

Make = Callable[..., Box]

_HARDENED = (
    *("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
    *("--tmpfs", "/run", "--tmpfs", "/tmp"),
)


@pytest.mark.parametrize("user", ["postgres", "12345:54321", "12345:0"])
def test_s30_any_user_without_any_right(box: Make, s3: S3Box, user: str) -> None:
    """Data, /run and /tmp are all it writes; initdb, archive, base backup and stop work."""
    one = box(archive=s3, flags=[*_HARDENED, "--user", user]).volume("/var/lib/postgresql").run()
    one.wait_accepts()
    wait_protected(one)
    assert one.exec("psql", "-U", "postgres", "-Atc", "select 1") == "1"
    uid = one.exec("id", "-u")
    assert uid == ("999" if user == "postgres" else "12345")
    owner = one.exec("stat", "-c", "%u %a", "/var/lib/postgresql/data")
    assert owner == f"{uid} 700"
    one.exec("walsup-healthy")
    assert one.stop() == 0
    assert "is in the bucket: yes" in one.last_word()
    one.start()
    one.wait_accepts()


def test_a_sub_directory_makes_any_volume_fit(box: Make) -> None:
    """A volume at the usual place belongs to `postgres`: another uid takes a place of its own."""
    flags = [*_HARDENED, "--user", "12345"]
    one = box(flags=flags).volume().run()
    assert one.wait() == 68
    assert "sub-directory" in one.last_word()
    one.environment["PGDATA"] = "/var/lib/postgresql/data/pgdata"
    one.run()
    one.wait_accepts()


def test_root_takes_over_a_volume_of_anybody(box: Make) -> None:
    """A directory of the host, which docker makes for root, becomes `postgres`'s."""
    one = box()
    folder = one.folder / "data"
    folder.mkdir(mode=0o755)
    one.flags += ["--volume", f"{folder}:/var/lib/postgresql/data"]
    one.run()
    one.wait_accepts()
    assert folder.stat().st_uid == 999
    assert one.stop() == 0


def test_root_without_its_capabilities_is_told_what_to_do(box: Make) -> None:
    """Root in name only can become nobody: the message names --user's remedy."""
    one = box(flags=_HARDENED).volume().run()
    assert one.wait() == 68
    assert "start as the database's own user" in one.last_word()
