"""Wiping an archive in a directory (S32): its content, never through a link."""

import os
import subprocess
from pathlib import Path

import pytest

from dev.harness.scenarios.wiping import OWNER, owner, wipe, wipe_argv


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A stopped database's archive, with something beside it."""
    made = tmp_path / "db"
    for key in ("wal_005/0001.lz4", "basebackups_005/base_1/x", "walsup/conditions", "wal_005/s p"):
        (made / key).parent.mkdir(parents=True, exist_ok=True)
        (made / key).write_bytes(b"0123456789")
    (made / OWNER).write_bytes(owner(state="stopped").to_json())
    (made / "walsup" / "lock").touch()
    (made / "wal_005" / "0002.lz4.tmp.123").touch()
    for beside in ("db2", "db-x", "elsewhere"):
        (tmp_path / beside / "wal_005").mkdir(parents=True)
        (tmp_path / beside / "wal_005" / "theirs").write_bytes(beside.encode())
    return made


def _environment(archive: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "WALSUP_ARCHIVE": f"file://{archive}",
        "WALSUP_LEASE": "1s",
    }


def _wipe(archive: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return wipe(_environment(archive), *arguments)


def _tree(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def _are_there(archive: Path) -> bool:
    return all(
        (archive.parent / one / "wal_005" / "theirs").read_text() == one
        for one in ("db2", "db-x", "elsewhere")
    )


@pytest.mark.rule("wipe")
def test_a_directory_is_emptied(archive: Path) -> None:
    """Links are removed themselves; what they lead to, and what lies beside, stays."""
    (archive / "wal_005" / "link").symlink_to(archive.parent / "elsewhere" / "wal_005" / "theirs")
    (archive / "basebackups_005" / "folder").symlink_to(archive.parent / "elsewhere")
    (archive / "empty" / "folder").mkdir(parents=True)
    before = _tree(archive)
    shown = _wipe(archive)
    assert shown.returncode == 0, shown.stderr
    assert f"walsup wipe --confirm {archive}" in shown.stdout
    assert _wipe(archive, "--confirm", "db").returncode == 2
    assert _tree(archive) == before
    done = _wipe(archive, "--confirm", str(archive))
    assert done.returncode == 0, done.stderr
    assert _tree(archive) == []
    assert _are_there(archive)
    again = _wipe(archive, "--confirm", str(archive))
    assert "nothing to wipe" in again.stdout


@pytest.mark.rule("wipe")
def test_a_directory_that_is_a_link_is_refused(archive: Path) -> None:
    """Nor is anything done where another file system is mounted in it."""
    link = archive.parent / "link"
    link.symlink_to(archive)
    before = _tree(archive)
    refused = _wipe(link, "--confirm", str(link))
    assert refused.returncode == 74
    assert "symbolic link" in refused.stderr
    mounted = archive / "wal_005" / "mo unted"
    mounted.mkdir()
    subprocess.run(["mount", "--bind", archive.parent / "elsewhere", mounted], check=True)
    try:
        refused = _wipe(archive, "--confirm", str(archive))
        assert refused.returncode == 74
        assert f"mounted at {mounted}" in refused.stderr
    finally:
        subprocess.run(["umount", mounted], check=True)
    mounted.rmdir()
    assert _tree(archive) == before
    assert _are_there(archive)


@pytest.mark.rule("wipe")
def test_a_directory_has_one_archive(archive: Path) -> None:
    """Another below it, and what is none, are refused."""
    (archive / "other" / "walsup").mkdir(parents=True)
    (archive / "other" / OWNER).touch()
    assert "other/" in _wipe(archive, "--confirm", str(archive)).stderr
    parent = archive.parent
    assert "db/" in _wipe(parent, "--confirm", str(parent)).stderr
    wal = archive / "wal_005"
    assert "not an archive" in _wipe(wal, "--confirm", str(wal)).stderr
    absent = parent / "absent"
    assert "no bucket" in _wipe(absent, "--confirm", str(absent)).stderr
    assert _are_there(archive)


@pytest.mark.rule("wipe")
def test_a_directorys_owner_is_asked(archive: Path) -> None:
    """Running: waited for, and refused when it renews; what was killed is gone on with."""
    (archive / OWNER).write_bytes(owner(state="running").to_json())
    one = subprocess.Popen(
        wipe_argv("--confirm", str(archive)),
        env=_environment(archive),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert one.stderr is not None
    assert "waiting" in one.stderr.readline()
    (archive / OWNER).write_bytes(owner(state="running", lease_s=1).to_json())
    assert "is alive on it" in one.communicate(timeout=60)[1]
    assert (archive / "wal_005" / "0001.lz4").exists()
    (archive / OWNER).write_bytes(owner(state="stopped").to_json())
    for number in range(20_000):
        (archive / "wal_005" / f"{number}").touch()
    one = subprocess.Popen(
        wipe_argv("--confirm", str(archive)),
        env=_environment(archive),
        stderr=subprocess.PIPE,
        text=True,
    )
    while b"wiping" not in (archive / OWNER).read_bytes():  # without a pause: it is fast
        assert one.poll() is None
    one.kill()
    one.communicate()
    assert b"wiping" in (archive / OWNER).read_bytes()
    done = _wipe(archive, "--confirm", str(archive))
    assert done.returncode == 0, done.stderr
    assert _tree(archive) == []
    assert _are_there(archive)


@pytest.mark.rule("wipe")
def test_a_file_that_may_not_be_removed_is_named(archive: Path) -> None:
    """An immutable one, as root meets it too: not 0, and still wiping."""
    kept = archive / "wal_005" / "0001.lz4"
    if subprocess.run(["chattr", "+i", kept], check=False, capture_output=True).returncode:
        kept = archive / "wal_005"
        subprocess.run(["mount", "--bind", kept, kept], check=True)
        subprocess.run(["mount", "-o", "remount,ro,bind", kept], check=True)
        undo = ["umount", str(kept)]
    else:
        undo = ["chattr", "-i", str(kept)]
    try:
        refused = _wipe(archive, "--confirm", str(archive))
    finally:
        subprocess.run(undo, check=True)
    assert refused.returncode == 74
    assert str(kept) in refused.stderr
    assert _wipe(archive, "--confirm", str(archive)).returncode == 0
