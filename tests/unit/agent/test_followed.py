"""What a standby follows: never an owner of a lower epoch than one that it has seen."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import cast

import pytest

from tests.unit.ownership.net import Store
from walsup.agent.followed import Followed
from walsup.archive.bucket import Bucket, Object, Page
from walsup.archive.fault import FaultError
from walsup.archive.names import OWNER_KEY
from walsup.archive.owner import Owner

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

    async def pages(self, under: str, after: str = "") -> AsyncIterator[Page]:
        for page in [Page(()) for _ in (under, after)]:
            yield page

    async def keys(self, under: str, after: str = "") -> AsyncIterator[str]:
        for key in [name for name in (under, after) if not name]:
            yield key

    def has(self, owner: Owner) -> None:
        self.store.objects[OWNER_KEY] = owner.signed().to_json()


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
