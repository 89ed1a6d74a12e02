"""What walsup remembers in the data directory."""

import os
import sys
from pathlib import Path

import pytest

from walsup.datadir import markers

ARCHIVE = "s3://bucket/prefix"


def test_instance_is_stable(tmp_path: Path) -> None:
    """Every call gives the same name, and another directory has another."""
    (tmp_path / "other").mkdir()
    first = markers.instance(tmp_path)
    assert len(first) == 32
    assert [markers.instance(tmp_path) for _ in range(3)] == [first] * 3
    assert markers.instance(tmp_path / "other") != first


def test_instance_is_private_and_leaves_nothing(tmp_path: Path) -> None:
    """One file, which the group of PGDATA cannot read, in a name that counts as empty."""
    markers.instance(tmp_path)
    (entry,) = tmp_path.iterdir()
    assert entry.name.startswith(".walsup-")
    assert entry.stat().st_mode & 0o777 == 0o600


def test_instance_is_written_at_once(tmp_path: Path) -> None:
    """A kill at any step leaves no half name: the next call gives one, which then stays."""
    for step in range(8):
        pgdata = tmp_path / str(step)
        pgdata.mkdir()
        pid = os.fork()
        if pid == 0:
            left = step

            def hook(event: str, _: object) -> None:
                nonlocal left
                if event in ("open", "os.rename"):
                    left -= 1
                    if left < 0:
                        os._exit(9)

            sys.addaudithook(hook)
            markers.instance(pgdata)
            os._exit(0)
        os.waitpid(pid, 0)
        seen = {entry.read_text() for entry in pgdata.glob(".walsup-instance")}
        found = markers.instance(pgdata)
        assert len(found) == 32
        assert seen <= {found + "\n"}


@pytest.mark.parametrize("content", ["", "\n"])
def test_lost_content_is_made_anew(tmp_path: Path, content: str) -> None:
    """A file system that kept the name and lost the bytes does not give an empty instance."""
    (tmp_path / ".walsup-instance").write_text(content)
    found = markers.instance(tmp_path)
    assert len(found) == 32
    assert markers.instance(tmp_path) == found


@pytest.mark.rule("archive-settings")
def test_foreign_is_remembered_for_its_archive_only(tmp_path: Path) -> None:
    """Another prefix is another archive; taking the note back is for good."""
    assert markers.foreign(tmp_path, ARCHIVE) == ""
    markers.remember_foreign(tmp_path, ARCHIVE, "it is another's")
    assert markers.foreign(tmp_path, ARCHIVE) == "it is another's"
    assert markers.foreign(tmp_path, ARCHIVE + "2") == ""
    markers.remember_foreign(tmp_path, ARCHIVE, "")
    assert markers.foreign(tmp_path, ARCHIVE)
    markers.forget_foreign(tmp_path)
    markers.forget_foreign(tmp_path)
    assert markers.foreign(tmp_path, ARCHIVE) == ""


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{", b"\xff", b'{"archive": 1}'])
def test_a_damaged_note_is_none(tmp_path: Path, content: bytes) -> None:
    """The gate looks anyway, and notes it again."""
    (tmp_path / ".walsup-foreign").write_bytes(content)
    assert markers.foreign(tmp_path, ARCHIVE) == ""


@pytest.mark.rule("one-owner")
def test_a_kernel_without_a_name_gives_no_place(tmp_path: Path) -> None:
    """A sandbox without that file: the lease alone then tells who is dead."""
    assert markers.place(tmp_path, tmp_path / "absent") == ""
    named = tmp_path / "boot_id"
    named.write_text("kernel\n")
    assert markers.place(tmp_path, named).startswith("kernel:")
    assert markers.place(tmp_path) == markers.place(tmp_path)


@pytest.mark.rule("divergence")
def test_a_run_without_the_archive_that_was_ours_is_remembered(tmp_path: Path) -> None:
    """Whether there was none, or another; a database that never owned one has nothing to stray."""
    markers.remember_straying(tmp_path, "None")
    assert not markers.has_strayed(tmp_path)
    markers.remember_owned(tmp_path, ARCHIVE)
    markers.remember_straying(tmp_path, ARCHIVE)
    assert not markers.has_strayed(tmp_path)
    for other in ("", f"{ARCHIVE}-2"):
        markers.remember_straying(tmp_path, other)
        assert markers.has_strayed(tmp_path)
        markers.forget_straying(tmp_path)
        assert not markers.has_strayed(tmp_path)
