"""Until when an archive is complete: never later than its owner object was written."""

from dataclasses import replace

import pytest

from walsup.archive.catalog import commit_times
from walsup.archive.owner_record import Owner
from walsup.archive.storage.bucket import Object

OWNER = Owner(
    system_id=7,
    instance="i",
    boot="b",
    epoch=3,
    timeline=1,
    lsn=0,
    state="stopped",
    compression="zstd",
    complete_until=1000.0,
)


@pytest.mark.parametrize(
    ("changed_at", "complete_until"), [(0.0, 1000.0), (1001.0, 1000.0), (400.0, 400.0)]
)
def test_complete_until_is_bounded_by_the_buckets_time(
    changed_at: float, complete_until: float
) -> None:
    """The clock of the node that wrote it may have been ahead; a time that is not told is none."""
    found = Object(content=OWNER.to_json(), etag="1", changed_at=changed_at)
    assert commit_times.read(found) == replace(OWNER, complete_until=complete_until)
