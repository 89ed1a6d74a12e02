"""Which archive a start on an empty data directory restores."""

import json
from pathlib import Path

import pytest

from walsup.archive.ownership import relocation
from walsup.boot.restore_choice import choose, for_list
from walsup.errors import ArchiveError, ArchiveNotEmptyError, SettingsError
from walsup.settings import Settings, load


def _known(
    tmp_path: Path, *, own: bool = True, source: bool = True, on_empty: str = ""
) -> Settings:
    (tmp_path / "own").mkdir(exist_ok=True)
    given = {"WALSUP_ON_EMPTY_PGDATA": on_empty} if on_empty else {}
    if own:
        given["WALSUP_ARCHIVE"] = f"file://{tmp_path}/own"
    if source:
        given["WALSUP_RESTORE_FROM"] = f"file://{tmp_path}/source"
    return load(given | {"PGDATA": str(tmp_path / "data")})


def _filled(directory: Path) -> None:
    path = directory / "basebackups_005" / "base_000000010000000000000002_backup_stop_sentinel.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")


def test_one_setting_alone_says_which(tmp_path: Path) -> None:
    """The own archive also where a start would not restore it: the question is whether it could."""
    _filled(tmp_path / "own")
    assert choose(_known(tmp_path, source=False)).own
    assert not choose(_known(tmp_path, own=False)).own
    with pytest.raises(SettingsError, match="no archive to examine"):
        choose(_known(tmp_path, own=False, source=False))


def test_the_source_counts_while_the_own_archive_is_empty(tmp_path: Path) -> None:
    """Whatever else is set."""
    for on_empty in ("", "refuse", "restore"):
        chosen = choose(_known(tmp_path, on_empty=on_empty))
        assert (chosen.own, chosen.place) == (False, f"file://{tmp_path}/source")


def test_an_own_archive_with_a_cluster_is_restored_or_prevents_the_restore(tmp_path: Path) -> None:
    """The source is used once."""
    _filled(tmp_path / "own")
    chosen = choose(_known(tmp_path, on_empty="restore"))
    assert (chosen.own, chosen.place) == (True, f"file://{tmp_path}/own")
    for on_empty in ("", "refuse", "initdb-new-path"):
        with pytest.raises(ArchiveNotEmptyError, match="nothing would be restored"):
            choose(_known(tmp_path, on_empty=on_empty))
        assert not for_list(_known(tmp_path, on_empty=on_empty)).own


def test_an_archive_that_has_moved_is_examined_in_its_sub_path(tmp_path: Path) -> None:
    """And nothing is written, also no note of the sub-path."""
    _filled(tmp_path / "own")
    (tmp_path / "own" / "walsup").mkdir()
    (tmp_path / "own" / "again-01234567").mkdir()
    (tmp_path / "own" / relocation.KEY).write_text(json.dumps({"to": "again-01234567"}))
    before = sorted(tmp_path.rglob("*"))
    moved = f"file://{tmp_path}/own/again-01234567"
    assert choose(_known(tmp_path, source=False)).place == moved
    assert not choose(_known(tmp_path, on_empty="restore")).own
    assert sorted(tmp_path.rglob("*")) == before


def test_an_own_archive_that_does_not_answer_is_no_answer(tmp_path: Path) -> None:
    """Whether it is empty decides, so the source cannot be promised."""
    known = _known(tmp_path)
    (tmp_path / "own").rmdir()
    with pytest.raises(ArchiveError, match="cannot be read"):
        choose(known)
