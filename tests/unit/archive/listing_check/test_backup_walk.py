"""What the listing of the base backups tells about each."""

import json

import pytest

from walsup.archive.catalog.scope import Counted, Scope
from walsup.archive.catalog.timelines import TimelineHistory
from walsup.archive.listing_check.backup_walk import BackupWalk
from walsup.archive.storage.bucket import Listed

SIZE = 16 << 20
NAME = "base_000000010000000000000002"
PARTS = {"part_001.tar.zst": 70, "part_002.tar.zst": 20, "pg_control.tar.zst": 10}
SENTINEL = {"LSN": 2 * SIZE + 40, "FinishLSN": 2 * SIZE + 256, "SystemIdentifier": 7}
LISTED = frozenset(("part_001.tar", "part_002.tar"))


def rows(
    parts: dict[str, int], name: str = NAME, times: dict[str, float] | None = None
) -> list[Listed]:
    """Give what a listing shows of a backup."""
    below = f"basebackups_005/{name}"
    at = times or {}
    shown = [Listed(f"{below}/tar_partitions/{p}", s, at.get(p, 50.0)) for p, s in parts.items()]
    shown.append(Listed(f"{below}/files_metadata.json", 300, 51.0))
    shown.append(Listed(f"{below}/metadata.json", 300, at.get("metadata.json", 51.0)))
    return [*shown, Listed(f"{below}_backup_stop_sentinel.json", 200, 52.0)]


def look(
    shown: list[Listed],
    known: tuple[Counted, ...] = (),
    listed: frozenset[str] | None = LISTED,
    **told: object,
) -> tuple[Counted, ...]:
    """Show a listing, with what the sentinels say."""
    scope = Scope(
        system_id=7,
        line=TimelineHistory.of(1, ()),
        size=SIZE,
        head=9,
        backups={b.name: b for b in known},
    )
    walk = BackupWalk(scope)
    for row in sorted(shown):
        if sentinel := walk.add(row):
            content = SENTINEL | {"CompressedSize": 100} | told
            walk.compare(sentinel, json.dumps(content).encode(), listed)
    return walk.end()


def test_a_whole_backup_is_whole_and_is_known_again() -> None:
    """The second look asks for nothing; `wal-g backup-mark` rewrites metadata.json alone."""
    (whole,) = look(rows(PARTS))
    assert (whole.problem, whole.start_lsn, whole.finish_lsn) == ("", 2 * SIZE + 40, 2 * SIZE + 256)
    again = look(rows(PARTS, times={"metadata.json": 900.0}), (whole,), None)
    assert again == (whole,)


@pytest.mark.parametrize(
    ("parts", "word"),
    [
        ({}, "all its parts are missing"),
        (PARTS | {"part_001.tar.zst": 0}, "part_001.tar.zst of it is empty"),
        ({"part_001.tar.zst": 70, "pg_control.tar.zst": 30}, "part_002.tar of it is missing"),
        ({"part_001.tar.zst": 70, "part_002.tar.zst": 30}, "pg_control.tar of it is missing"),
        (PARTS | {"part_001.tar.zst": 35}, "65 bytes, but its sentinel says 100: one is cut off"),
    ],
)
def test_what_is_wrong_with_its_parts(parts: dict[str, int], word: str) -> None:
    """Missing, empty, or cut off; the same after it was verified."""
    assert word in look(rows(parts))[0].problem
    known = look(rows(PARTS))
    assert word in look(rows(parts), known)[0].problem


def test_parts_that_change_after_they_were_verified_count_no_more() -> None:
    """Also with the same size: its content is not what it was."""
    known = look(rows(PARTS))
    changed = look(rows(PARTS, times={"part_001.tar.zst": 400.0}), known)
    assert "changed after it was verified" in changed[0].problem
    every = dict.fromkeys(PARTS, 400.0)
    assert "changed after it was verified" in look(rows(PARTS, times=every), known)[0].problem
    # Other wrong bytes make it no better; the objects as they were do.
    assert "changed after it was verified" in look(rows(PARTS, times=every), changed)[0].problem
    assert look(rows(PARTS), changed)[0].problem == ""


def test_a_sentinel_that_changes_what_it_says_counts_no_more() -> None:
    """Written again with the same content it does; wrong content twice is still wrong."""
    known = look(rows(PARTS))
    again = [row._replace(changed_at=row.changed_at + 9) for row in rows(PARTS)[-1:]]
    shown = rows(PARTS)[:-1] + again
    assert look(shown, known)[0].problem == ""
    changed = look(shown, known, LSN=5 * SIZE)
    assert "its sentinel changed" in changed[0].problem
    later = [row._replace(changed_at=row.changed_at + 20) for row in again]
    assert "its sentinel changed" in look(shown[:-1] + later, changed, LSN=5 * SIZE)[0].problem


def test_times_say_something_only_where_they_are_those_of_the_upload() -> None:
    """A copy of an archive ends with its largest objects; its backups are whole."""
    late = rows(PARTS, times={"part_001.tar.zst": 400.0})
    told = look(late, FinishTime="1970-01-01T00:00:45Z")
    assert "part_001.tar.zst of it was written after it was finished" in told[0].problem
    assert look(late, FinishTime="1969-11-01T00:00:45.123456789Z")[0].problem == ""
    assert look(late, FinishTime="?")[0].problem == ""


def test_a_delta_is_as_whole_as_what_it_is_a_delta_of() -> None:
    """In the order of keys a delta's folder lies between its parent's folder and sentinel."""
    delta = f"{NAME}_D_000000010000000000000001"
    both = rows(PARTS) + rows(PARTS, delta)
    assert [b.problem for b in look(both)] == ["", ""]
    assert [b.name for b in look(both)] == [delta, NAME]
    lone = look(rows(PARTS, delta), DeltaFrom=NAME)
    assert (lone[0].problem, "is incomplete" in lone[0].unfit) == ("", True)


def test_a_backup_that_cannot_be_read_hides_no_other() -> None:
    """Its sentinel or list of parts is no JSON, or something else."""
    assert "files_metadata.json cannot be read" in look(rows(PARTS), listed=None)[0].problem
    assert "sentinel cannot be read" in look(rows(PARTS), LSN="x")[0].problem
    other = "base_000000010000000000000004"
    found = look(rows({}) + rows(PARTS, other))
    assert [bool(b.problem) for b in found] == [True, False]


def test_a_backup_under_way_is_none_and_unknown_objects_are_counted() -> None:
    """Without a sentinel nothing is promised."""
    assert look(rows(PARTS)[:-1]) == ()
    scope = Scope(system_id=7, line=TimelineHistory.of(1, ()), size=SIZE, head=9)
    walk = BackupWalk(scope)
    for key in ("note.txt", f"{NAME}/tar_partitions/old/part_001.tar.zst"):
        assert walk.add(Listed(f"basebackups_005/{key}", 1, 1.0)) is None
    assert walk.ignored == 2


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
def test_a_part_in_a_storage_class_that_cannot_be_read_makes_a_backup_unfit(
    storage_class: str,
) -> None:
    """Also after it was found whole: neither its size nor its time changes."""
    (whole,) = look(rows(PARTS))
    shown = rows(PARTS)
    shown[0] = shown[0]._replace(storage_class=storage_class)
    for known in ((), (whole,)):
        (found,) = look(shown, known)
        assert storage_class in found.problem
    assert look(rows(PARTS), (found,))[0].problem == ""
