"""A claim asks what it needs in order, and writes only after every check."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.unit.archive.ownership.test_admission import OWNER, SIZE, SYSTEM, claimant
from walsup.archive.faults import Fault, FaultKind
from walsup.archive.owner_record import Owner
from walsup.archive.ownership.admission import Rejected
from walsup.archive.ownership.claim import OwnerWatch, claim
from walsup.archive.ownership.divergence import Divergence
from walsup.archive.ownership.identity import Evidence
from walsup.archive.ownership.lease import Lease
from walsup.archive.paths import OWNER_KEY
from walsup.archive.storage.directory_bucket import FileBucket
from walsup.settings import FileArchive

FAULT = Fault(FaultKind.NOT_THE_OWNER, "as the test says")
RETURNING = claimant(instance="theirs")


@dataclass
class Recorded:
    """Checks with given answers; `asked` keeps the order of the questions."""

    bucket: FileBucket
    evidence: Evidence = field(default_factory=lambda: Evidence(system_id=None))
    compared: Divergence = field(default_factory=lambda: Divergence(None))
    refused: Fault | None = None
    asked: list[str] = field(default_factory=list)

    async def cluster_in_archive(self) -> Evidence:
        """Return whose the archive is."""
        self.asked.append("cluster")
        return self.evidence

    async def compare_with_disk(self, wanted: Owner) -> Divergence:
        """Return whether the disk continues it."""
        assert wanted.system_id == SYSTEM
        self.asked.append("compare")
        return self.compared

    async def conditional_bucket(self) -> FileBucket | Fault:
        """Return the bucket, which honours conditions."""
        self.asked.append("conditional")
        return self.refused or self.bucket


@pytest.fixture
async def checks(tmp_path: Path) -> AsyncIterator[Recorded]:
    """Checks that find nothing, on an empty archive."""
    bucket = FileBucket(FileArchive(directory=str(tmp_path)))
    yield Recorded(bucket)
    bucket.close()


async def _claim(checks: Recorded) -> object:
    return await claim(checks.bucket, RETURNING, OwnerWatch(), checks)


async def _owner(checks: Recorded) -> Owner | None:
    try:
        return Owner.from_json((await checks.bucket.get(OWNER_KEY)).content)
    except FileNotFoundError:
        return None


async def test_an_archive_without_owner_object_is_asked_whose_it_is(checks: Recorded) -> None:
    """All three questions, in order; then the object is written."""
    assert isinstance(await _claim(checks), Lease)
    assert checks.asked == ["cluster", "compare", "conditional"]
    written = await _owner(checks)
    assert written is not None
    assert (written.instance, written.system_id) == ("theirs", SYSTEM)


async def test_an_owner_object_says_whose_the_archive_is(checks: Recorded) -> None:
    """The engine's objects are not read where the owner object is."""
    await checks.bucket.create(OWNER_KEY, OWNER.to_json())
    assert isinstance(await _claim(checks), Lease)
    assert checks.asked == ["compare", "conditional"]


async def test_another_clusters_objects_end_the_claim(checks: Recorded) -> None:
    """Nothing is compared or written; it will never be ours."""
    checks.evidence = Evidence(system_id=SYSTEM + 1, seen_in="a segment")
    answer = await _claim(checks)
    assert isinstance(answer, Rejected)
    assert answer.foreign
    assert checks.asked == ["cluster"]
    assert await _owner(checks) is None


async def test_a_disk_that_does_not_continue_the_archive_ends_the_claim(checks: Recorded) -> None:
    """The test of conditions writes: it comes after the comparison."""
    checks.compared = Divergence(FAULT)
    assert await _claim(checks) == Rejected(FAULT, foreign=False)
    assert checks.asked == ["cluster", "compare"]
    assert await _owner(checks) is None


async def test_a_bucket_without_conditions_ends_the_claim(checks: Recorded) -> None:
    """The owner object of another version stays as it is."""
    await checks.bucket.create(OWNER_KEY, OWNER.to_json())
    checks.refused = FAULT
    assert await _claim(checks) == Rejected(FAULT, foreign=False)
    assert await _owner(checks) == OWNER


async def test_wal_that_does_not_join_demands_a_new_base_backup(checks: Recorded) -> None:
    """Base backups from before the seam do not count, and the object says why."""
    await checks.bucket.create(OWNER_KEY, replace(OWNER, backups_from=3 * SIZE).to_json())
    checks.compared = Divergence(None, joined=False, because="why", since_lsn=20 * SIZE)
    answer = await _claim(checks)
    assert isinstance(answer, Lease)
    assert (answer.owner.backups_from, answer.owner.backups_because) == (20 * SIZE, "why")
