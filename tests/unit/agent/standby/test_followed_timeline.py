"""What a standby follows: never an owner of a lower epoch than one that it has seen."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import cast

import pytest

from tests.unit.archive.test_valid_keys import Shelf
from tests.unit.ownership.net import Store
from walsup.agent.standby.followed_timeline import Followed
from walsup.archive.faults import FaultError
from walsup.archive.owner_record import Owner
from walsup.archive.paths import OWNER_KEY
from walsup.archive.storage.bucket import Bucket, ListingPage, Object
from walsup.postgres.wal import Segment

SIZE = 1 << 20
OWNER = Owner(
    system_id=7,
    instance="i",
    boot="b",
    epoch=4,
    timeline=1,
    lsn=2 * SIZE,
    state="running",
    compression="zstd",
)


class _Bucket:
    """The owner object, and nothing archived."""

    def __init__(self) -> None:
        self.store = Store()

    async def get(self, key: str) -> Object:
        return self.store.get(key)

    async def pages(self, under: str, after: str = "") -> AsyncIterator[ListingPage]:
        for page in [ListingPage(()) for _ in (under, after)]:
            yield page

    async def keys(self, under: str, after: str = "") -> AsyncIterator[str]:
        for key in [name for name in (under, after) if not name]:
            yield key

    def has(self, owner: Owner) -> None:
        self.store.objects[OWNER_KEY] = owner.signed().to_json()


class _Archived(Shelf):
    """The owner object, and what is archived."""

    def __init__(self, keys: list[str], owner: Owner) -> None:
        super().__init__(keys)
        self.store = Store()
        self.store.objects[OWNER_KEY] = owner.signed().to_json()

    async def get(self, key: str) -> Object:
        return self.store.get(key)


async def test_nothing_is_followed_to_an_owner_of_a_lower_epoch_than_was_known() -> None:
    """Its state is put back by somebody, and would lead away from what was acknowledged since."""
    bucket, kept = _Bucket(), list[int]()
    followed = Followed(segment_bytes=SIZE, epoch=3, remember=kept.append)
    bucket.has(OWNER)
    await followed.look(cast("Bucket", bucket))
    assert (followed.timeline, kept) == (1, [4])
    bucket.has(replace(OWNER, epoch=3, timeline=2))
    with pytest.raises(FaultError, match="epoch 4 was seen before"):
        await followed.look(cast("Bucket", bucket))
    assert (followed.timeline, kept) == (1, [4])


@pytest.mark.parametrize(
    ("state", "verdict", "boot", "last"),
    [
        ("stopped", "everything before the shutdown checkpoint is in the bucket: yes (…)", "b", 1),
        ("stopped", "everything before the shutdown checkpoint is in the bucket: no: …", "b", 4),
        ("stopped", "everything before the shutdown checkpoint is in the bucket: yes (…)", "x", 4),
        ("running", "everything before the shutdown checkpoint is in the bucket: yes (…)", "b", 4),
    ],
)
async def test_names_after_the_end_of_an_owner_that_archived_everything_are_not_its_own(
    state: str, verdict: str, boot: str, last: int
) -> None:
    """Else a promotion would wait for WAL that no primary has written."""
    names = [Segment(timeline=1, number=n, size=SIZE).name for n in range(1, 5)]
    owner = replace(OWNER, state=state, verdict=verdict, verdict_boot=boot)
    bucket = _Archived([f"wal_005/{name}.zst" for name in names], owner)
    followed = Followed(segment_bytes=SIZE, epoch=3)
    await followed.look(cast("Bucket", bucket))
    assert followed.mark == Segment(timeline=1, number=last, size=SIZE)
