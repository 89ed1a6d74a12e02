"""An agent that holds its archive: its context, the owner object in memory, a standing clock."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import cast

from tests.unit.ownership.memory_bucket import MemoryBucket
from tests.unit.ownership.net import Store, tag
from tests.unit.standing_clock import StandingClock
from walsup.agent.context import AgentContext
from walsup.agent.lag_meter import Meter
from walsup.archive.owner_record import Owner
from walsup.archive.ownership.lease import Lease, Written
from walsup.archive.paths import OWNER_KEY
from walsup.archive.storage.bucket import Bucket, Object
from walsup.postgres.wal import Segment

LEASE_S = 0.02  # real time passes between renewals
OWNER = Owner(
    system_id=7,
    instance="me",
    boot="b",
    epoch=4,
    timeline=1,
    lsn=1 << 24,
    state="running",
    compression="zstd",
    lease_s=LEASE_S,
)


class Memory(MemoryBucket):
    """An archive in memory; `then` is called before each write of the holder.

    `unread`: what a read raises, None while it answers.
    """

    def __init__(self) -> None:
        self.store = Store()
        super().__init__(self.store)
        self.writes = 0
        self.then: Callable[[int], None] = lambda _count: None
        self.unread: Exception | None = None

    async def get(self, key: str) -> Object:
        """Read an object."""
        if self.unread is not None:
            raise self.unread
        return await super().get(key)

    async def replace(self, key: str, content: bytes, etag: str) -> str:
        """Write over the version with that tag."""
        self.writes += 1
        self.then(self.writes)
        return await super().replace(key, content, etag)

    def put(self, owner: Owner) -> str:
        """Write the owner object as another program does; gives its tag."""
        self.store.objects[OWNER_KEY] = content = owner.to_json()
        return tag(content)

    def now(self) -> float:
        """Return 0.0: the server's time is not known."""
        return 0.0

    @property
    def owner(self) -> Owner:
        """The owner object as it is."""
        return Owner.from_json(self.store.objects[OWNER_KEY])


class Held:
    """An agent that holds its archive; its clock stands still."""

    def __init__(self, context: AgentContext, bucket: Memory, owner: Owner, etag: str) -> None:
        self.context, self.bucket, self.clock = context, bucket, StandingClock()
        self.lease = Lease(bucket, Written(owner, etag, self.clock.now_s), self.clock)
        context.session.lease = self.lease
        context.session.bucket = cast("Bucket", bucket)  # it has what is asked of one here
        context.session.meter = Meter(Segment(timeline=1, number=1, size=1 << 24))

    @classmethod
    def begin(cls, pgdata: Path, run_dir: Path, wire: int | None = None) -> "Held":
        """Start an agent whose claim has just been written."""
        environment = {"PGDATA": str(pgdata), "WALSUP_ARCHIVE": "file:///nowhere"}
        content = {"boot": OWNER.boot, "pgdata": str(pgdata), "environment": environment}
        (run_dir / "agent.json").write_text(json.dumps(content))
        memory, first = Memory(), OWNER.signed()
        return cls(AgentContext(run_dir, wire), memory, first, memory.put(first))
