"""What stands against a wipe (S32)."""

import pytest

from walsup.archive.wipe.contents import FRESH_S, ArchiveContents, archive_below, odd, unowned
from walsup.archive.wipe.target import Entry, Upload


@pytest.mark.parametrize(
    ("key", "folder"),
    [
        ("walsup/owner.json", ""),
        ("wal_005/000000010000000000000001.lz4", ""),
        ("basebackups_005/base_1/tar_partitions/part_1.tar.lz4", ""),
        ("notes/walsup/readme", ""),
        ("notes/wal_005", ""),
        ("east/walsup/owner.json", "east/"),
        ("a/b/wal_005/x", "a/b/"),
        ("demo/wal-postgres/archive/basebackups_005/x/y", "demo/wal-postgres/archive/"),
        ("wal_005/wal_005/x", "wal_005/"),
    ],
)
@pytest.mark.rule("wipe")
def test_an_archive_below(key: str, folder: str) -> None:
    """Its owner object, its WAL or its base backups show it."""
    assert archive_below(key) == folder


@pytest.mark.parametrize("key", ["../db2/x", "wal_005/../../db2/x", "./x", "x/.", ".."])
@pytest.mark.rule("wipe")
def test_keys_that_lead_elsewhere(key: str) -> None:
    """Some servers keep objects as files."""
    assert odd(key) == key
    assert odd("wal_005/a..b/.hidden") == ""
    found = ArchiveContents()
    found.add([Entry("wal_005/x", 1, 0.0), Entry(key, 1, 0.0)])
    objection = found.objection()
    assert objection
    assert ".." in objection.problem


@pytest.mark.rule("wipe")
def test_what_is_no_archive() -> None:
    """A folder of other things; an archive that has been deleted by markers is one still."""
    found = ArchiveContents()
    assert found.is_empty
    assert found.objection() is None
    found.add([Entry("000000010000000000000001.lz4", 1, 0.0)])
    objection = found.objection()
    assert objection
    assert "not an archive" in objection.problem
    found.add([Entry("wal_005/x", 0, 0.0, "v1", marker=True)])
    assert found.objection() is None


def test_counts() -> None:
    """Objects, old versions, delete markers, uploads, each by itself."""
    found = ArchiveContents()
    found.add(
        [
            Entry("walsup/owner.json", 5, 100.0, "v9"),
            Entry("walsup/owner.json", 5, 90.0, "v8", latest=False),
            Entry("wal_005/x", 0, 95.0, "v7", marker=True),
            Entry("wal_005/x", 70, 80.0, "v6", latest=False),
        ]
    )
    assert found.only_owner is False
    found.add_upload(Upload("basebackups_005/u", "n", 200.0), 1000)
    assert (found.objects, found.object_bytes) == (1, 5)
    assert (found.versions, found.version_bytes, found.markers) == (2, 75, 1)
    assert (found.uploads, found.upload_bytes) == (1, 1000)
    assert (found.newest_at, found.owner_at, found.owner_has_versions) == (200.0, 100.0, True)
    assert found.folders == {"walsup": 1, "wal_005": 0, "basebackups_005": 0}


@pytest.mark.rule("wipe")
def test_the_age_of_an_archive_that_nobody_owns() -> None:
    """By the server's clock alone."""
    found = ArchiveContents()
    found.add([Entry("wal_005/x", 1, 1000.0)])
    assert unowned(found, 1000.0 + FRESH_S) is None
    for now_at in (1000.0 + FRESH_S - 1, 900.0):
        objection = unowned(found, now_at)
        assert objection
        assert "--even-if-fresh" in objection.hint
