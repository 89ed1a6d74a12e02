"""Errors of a file system: whose it is decides about what to do."""

import errno
import resource
from pathlib import Path

import pytest

from walsup.archive.storage.fault_mapping import classify
from walsup.archive.storage.file_errors import OF_ARCHIVE
from walsup.datadir import markers


@pytest.mark.parametrize(
    ("number", "kind", "says"),
    [
        (errno.ENOSPC, "disk full", "free space on the file system of /run/walsup"),
        (errno.EROFS, "no rights", "allow this user to read and write there"),
        (errno.EIO, "server error", "check the file system of /run/walsup"),
    ],
)
def test_a_file_of_our_own_is_not_the_archives(number: int, kind: str, says: str) -> None:
    """Nobody is sent to the archive's volume, or to a bucket's rights, for the run directory."""
    ours = OSError(number, "it failed", "/run/walsup/lease")
    fault = classify(ours)
    assert (fault.kind, fault.problem) == (kind, "/run/walsup/lease: it failed")
    assert fault.cure.startswith(says)
    theirs = OSError(number, "it failed", "/mnt/archive/walsup/owner.json")
    theirs.add_note(OF_ARCHIVE)
    assert "archive" in classify(theirs).cure


@pytest.mark.rule("disk-full")
def test_a_full_disk_names_the_file(tmp_path: Path) -> None:
    """A write alone does not say to which file it was."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        with pytest.raises(OSError, match=r"\.walsup-owned") as raised:
            markers.remember_owned(tmp_path, "s3://bucket/prefix")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    fault = classify(raised.value)
    assert (fault.kind, str(tmp_path) in fault.cure) == ("disk full", True)
