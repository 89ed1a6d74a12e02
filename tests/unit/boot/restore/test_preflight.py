"""A look into an archive gives a plan with everything that a restore needs, or a refusal."""

import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from walsup.archive.catalog.archive_reader import Reader
from walsup.archive.owner_record import Owner
from walsup.archive.storage.directory_bucket import FileBucket
from walsup.boot.restore.preflight import examine
from walsup.boot.restore.restore_plan import (
    Outcome,
    Refusal,
    RestorePlan,
    RestoreRequest,
    refuse_repetition,
)
from walsup.boot.restore.target import Target
from walsup.postgres.wal import Segment
from walsup.settings import FileArchive

SIZE = 1 << 24
SYSTEM_ID = 7
REQUEST = RestoreRequest(
    target=Target(), backup_name="", accept_hole="", major="15", pgdata=None, pg_waldump=None
)
OWNER = Owner(
    system_id=SYSTEM_ID,
    instance="i",
    boot="b",
    epoch=1,
    timeline=1,
    lsn=4 * SIZE,
    state="stopped",
    compression="zstd",
    restored_to=str(Target("immediate")),
    limits=(("max_connections", 100),),
)


def _segment(number: int) -> Segment:
    return Segment(timeline=1, number=number, size=SIZE)


@dataclass(frozen=True)
class Archive:
    """An archive in a directory, whose segments hold one page header each."""

    folder: Path
    bucket: FileBucket
    engine: SimpleNamespace
    system_id: int = SYSTEM_ID

    def put(self, key: str, content: bytes = b"x" * 300) -> None:
        """Store an object."""
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def put_backup(self, number: int, *, parts: bool = True) -> str:
        """Store a base backup that begins in a segment."""
        name = f"base_{_segment(number).name}"
        sentinel: dict[str, object] = {
            "SystemIdentifier": SYSTEM_ID,
            "LSN": number * SIZE + 40,
            "FinishLSN": number * SIZE + 300,
            "FinishTime": f"2026-01-01T0{number}:00:00Z",
            "PgVersion": 150000,
            "UncompressedSize": 1000,
        }
        self.put(f"basebackups_005/{name}_backup_stop_sentinel.json", json.dumps(sentinel).encode())
        if parts:
            self.put(f"basebackups_005/{name}/tar_partitions/pg_control.tar.zst")
        return name

    def put_segments(self, *numbers: int) -> None:
        """Store WAL segments."""
        for number in numbers:
            self.put(f"wal_005/{_segment(number).name}.zst")

    async def fetch(self, name: str) -> Path:
        """Return the first page of a segment, as the engine would fetch it."""
        lsn = Segment.parse(name, SIZE).start_lsn
        header = struct.pack("<HHIQI4xQII", 0xD110, 2, 1, lsn, 0, self.system_id, SIZE, 8192)
        path = self.folder.parent / name
        path.write_bytes(header)
        return path

    async def examine(self, request: RestoreRequest = REQUEST) -> Outcome:
        """Return what a look into the archive gives."""
        return await examine(cast("Reader", self), request)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """An empty archive."""
    folder = tmp_path / "archive"
    folder.mkdir()
    bucket = FileBucket(FileArchive(directory=str(folder)))
    yield Archive(folder, bucket, SimpleNamespace(name="walrus"))
    bucket.close()


async def test_a_plan_has_everything_that_a_restore_needs(archive: Archive) -> None:
    """The newest whole base backup, its WAL to the end, and what the owner object says."""
    archive.put_backup(1)
    newest = archive.put_backup(2)
    archive.put_segments(1, 2, 3, 4)
    archive.put("walsup/owner.json", OWNER.to_json())
    plan = await archive.examine()
    assert isinstance(plan, RestorePlan), plan
    assert (plan.backup.name, plan.first, plan.last) == (newest, _segment(2), _segment(4))
    assert (plan.segment_count, plan.size_bytes, plan.ends) == (3, 1000, "end")
    assert (plan.line.timeline, plan.limits) == (1, OWNER.limits)
    assert (plan.warnings, plan.unknown, plan.restored_to) == ((), (), OWNER.restored_to)


async def test_a_backup_that_is_not_whole_is_a_warning_of_the_plan(archive: Archive) -> None:
    """An older base backup serves: the restore goes on with it."""
    older = archive.put_backup(1)
    newer = archive.put_backup(3, parts=False)
    archive.put_segments(1, 2, 3)
    plan = await archive.examine()
    assert isinstance(plan, RestorePlan), plan
    assert plan.backup.name == older
    assert [newer in warning for warning in plan.warnings] == [True]


def _nothing(_archive: Archive) -> None:
    pass


def _only_wal(archive: Archive) -> None:
    archive.put_segments(1)


def _wiping(archive: Archive) -> None:
    archive.put_backup(1)
    archive.put_segments(1)
    archive.put("walsup/owner.json", replace(OWNER, state="wiping").to_json())


def _no_wal(archive: Archive) -> None:
    archive.put_backup(1)


def _gap(archive: Archive) -> None:
    archive.put_backup(1)
    archive.put_segments(1, 3)


@pytest.mark.parametrize(
    ("fill", "has_backups", "fault"),
    [
        (_nothing, False, "there is no finished base backup in the archive"),
        (_only_wal, False, "its WAL alone restores nothing"),
        (_wiping, True, "the archive is being wiped"),
        (_no_wal, True, f"{_segment(1).name} of the WAL that it needs"),
        (_gap, True, f"{_segment(2).name} is missing"),
    ],
)
async def test_an_archive_that_lacks_something_is_refused(
    archive: Archive, fill: Callable[[Archive], None], fault: str, *, has_backups: bool
) -> None:
    """A refusal says why, and whether there is a base backup that a standby need not wait for."""
    fill(archive)
    refusal = await archive.examine()
    assert isinstance(refusal, Refusal), refusal
    assert [fault in one for one in refusal.faults] == [True]
    assert refusal.has_backups is has_backups
    assert not refusal.needs_only_room


async def test_a_refusal_has_all_faults(archive: Archive) -> None:
    """The version, the other cluster's segment and the gap are shown at once."""
    archive.put_backup(1)
    archive.put_segments(1, 3)
    other = replace(archive, system_id=8)
    refusal = await other.examine(replace(REQUEST, major="16"))
    assert isinstance(refusal, Refusal), refusal
    told = "\n".join(refusal.faults)
    assert len(refusal.faults) == 3, told
    assert "two databases have written to this archive" in told
    assert "is missing" in told
    assert "of PostgreSQL 15, but PostgreSQL 16 is installed here" in told


async def test_a_target_is_not_restored_to_twice(archive: Archive) -> None:
    """The owner object keeps the last target; one to the end loses nothing."""
    archive.put_backup(1)
    archive.put_segments(1)
    archive.put("walsup/owner.json", OWNER.to_json())
    plan = await archive.examine(replace(REQUEST, target=Target("immediate")))
    repeated = refuse_repetition(plan, Target("immediate"))
    assert isinstance(plan, RestorePlan), plan
    assert isinstance(repeated, Refusal)
    assert "was restored to" in repeated.faults[0]
    assert refuse_repetition(plan, Target()) is plan
    assert refuse_repetition(plan, Target("name", "other")) is plan
