"""A base backup's list of files, compared with the data directory."""

import os
import time
from pathlib import Path

from walsup.archive.listing_check.unlisted_files import Names, Places, unlisted


def test_files_that_a_list_lacks_are_named(tmp_path: Path) -> None:
    """Those of tablespaces too; not what no engine copies, and nothing that has changed since."""
    data, space = tmp_path / "data", tmp_path / "space"
    for folder in ("base/5", "global", "pg_wal", "pg_tblspc", "pg_subtrans"):
        (data / folder).mkdir(parents=True)
    (space / "PG_15/5").mkdir(parents=True)
    (data / "pg_tblspc/16384").symlink_to(space)
    for name in (
        *("base/5/1", "base/5/2", "base/5/pg_internal.init", "base/5/t3_17", "global/pg_control"),
        *(
            "postmaster.pid",
            "pg_wal/0",
            "pg_subtrans/0000",
            "mine.conf",
            "pg_tblspc/16384/PG_15/5/7",
        ),
    ):
        (data / name).touch()
    (data / "link").symlink_to(data / "mine.conf")
    until = time.time() + 1.0
    assert unlisted(data, {"base/5/1"}, until) == [
        "base/5/2",
        "mine.conf",
        "pg_tblspc/16384/PG_15/5/7",
    ]
    listed = {"base/5/1", "base/5/2", "mine.conf", "pg_tblspc/16384/PG_15/5/7"}
    assert unlisted(data, listed, until) == []
    changed = os.lstat(data / "base/5/2").st_ctime
    assert unlisted(data, set(), changed - 1.0) == []


def test_a_directory_that_is_not_there_has_no_files(tmp_path: Path) -> None:
    """It was moved meanwhile."""
    assert unlisted(tmp_path / "gone", set(), time.time()) == []


def test_a_file_of_a_tablespace_has_many_names(tmp_path: Path) -> None:
    """One in the data directory, or in another's directory, is listed by any of them."""
    data, space = tmp_path / "data", tmp_path / "space"
    (data / "pg_tblspc").mkdir(parents=True)
    for number, place in (("1", data / "in side/ü"), ("2", space), ("3", space / "nested")):
        (place / "PG_15/5").mkdir(parents=True)
        (place / "PG_15/5" / number).touch()
        (data / "pg_tblspc" / number).symlink_to(place)
    (data / "alias").symlink_to(data / "in side")
    until, places = time.time() + 1.0, Places(data)
    for listed in (
        ("in side/ü/PG_15/5/1", "pg_tblspc/2/PG_15/5/2", "pg_tblspc/2/nested/PG_15/5/3"),
        ("alias/ü/PG_15/5/1", "pg_tblspc/2/PG_15/5/2", "pg_tblspc/3/PG_15/5/3"),
    ):
        names = Names()
        names.add(places.real(name) for name in listed)
        assert unlisted(data, names, until, places) == []
    names = Names()
    names.add([places.real("pg_tblspc/2/PG_15/5/2")])
    assert "pg_tblspc/1/PG_15/5/1" in unlisted(data, names, until, places)
    assert "pg_tblspc/3/PG_15/5/3" in unlisted(data, names, until, places)
