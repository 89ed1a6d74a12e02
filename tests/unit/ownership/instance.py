"""An instance of the model: its disk, its PID 1, its lease, and what it says of itself."""

import math
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, cast

from tests.unit.ownership.disk import Disk
from tests.unit.ownership.net import Sleep, wait
from tests.unit.ownership.rules import LEASE_S, Naive, Rules
from tests.unit.ownership.wal import SIZE, SYSTEM, Comparison
from walsup.archive.owner_record import Owner
from walsup.archive.ownership.claimant import Claimant
from walsup.archive.ownership.divergence import Divergence
from walsup.archive.ownership.identity import Evidence
from walsup.archive.ownership.lease import Lease
from walsup.archive.ownership.write_deadline import WriteDeadline
from walsup.archive.storage.bucket import Bucket
from walsup.postgres.pg_control import ControlData, DBState
from walsup.postgres.wal import Switch

Agent = Coroutine[Any, Any, None]


class Instance:
    """What an instance is at any moment, and what it finds out for a claim."""

    def __init__(self, number: int, link: Naive, rules: Rules, clock: Callable[[], float]) -> None:
        self.number, self.link, self.rules, self.clock = number, link, rules, clock
        # It has what is asked of a bucket here, and no more.
        self.bucket = cast("Bucket", link)
        self.disk = Disk(instance=f"i{number}", standby=number > 0)
        self.begun: Callable[[int, int], None] = lambda _timeline, _member: None
        self.granted: Callable[[Instance, Lease], None] = lambda _member, _lease: None
        self.comparison: Comparison | None = None  # without it there is no WAL
        self.starts = 0
        self.rebuilt = 0
        self.reset()

    def reset(self) -> None:
        """Nothing of it runs."""
        self.running = self.writes = self.frozen = self.agent_stands = False
        self.refused = ""
        self.agent: Agent | None = None
        self.promoting: Agent | None = None
        self.event: dict[str, object] = {}
        self.lease: Lease | None = None
        self.fence = WriteDeadline(LEASE_S, alone=False)
        self.until_s = math.inf
        self.heard: frozenset[str] = frozenset()
        self.stopping = self.alone = self.by_hand = False
        self.claimed: Lease | None = None

    @property
    def name(self) -> str:
        """With which it streams."""
        return f"m{self.number}"

    @property
    def archives(self) -> bool:
        """Whether its engine would upload now."""
        return self.lease is not None and (self.lease.is_held or not self.rules.lease_ends)

    @property
    def boot(self) -> str:
        """This start."""
        return f"{self.name}-{self.starts}"

    def end(self) -> None:
        """Its PID 1 has ended, and everything with it."""
        for work in (self.agent, self.promoting):
            if work is not None:
                work.close()
        frozen = self.frozen
        self.reset()
        self.frozen = frozen

    def claimant(self) -> Claimant:
        """What it claims with."""
        d = self.disk
        control = ControlData(
            system_id=SYSTEM,
            state=DBState.IN_PRODUCTION,
            checkpoint_lsn=d.lsn,
            redo_lsn=d.lsn,
            timeline=d.timeline,
            segment_size=SIZE,
            catalog_version=1,
            control_version=1300,
        )
        return Claimant(
            control=control,
            instance=d.instance,
            boot=self.boot,
            place=f"kernel:{self.number}:{self.rebuilt}",
            compression="zstd",
            lease_s=LEASE_S,
            left=d.left if self.rules.timelines_count else self._anywhere(),
            owned=True,
            adoption=d.adoption,
            known_epoch=d.known_epoch if self.rules.epoch else 0,
            standby_name=self.name if self.rules.only_heirs else "m1",
        )

    def _anywhere(self) -> tuple[Switch, ...]:
        """A history with which every copy continues every timeline (planted)."""
        numbers = range(1, self.disk.timeline + 1)
        return tuple(Switch(timeline=n, switch_lsn=1 << 40, reason="") for n in numbers)

    def arm(self, lease: Lease | None) -> None:
        """Set the deadline of a database that no standby acknowledges."""
        if self.alone and lease is not None and self.rules.armed_at_once:
            self.until_s = lease.until_s

    async def cluster_in_archive(self) -> Evidence:
        """Fail: there is always an owner."""
        raise AssertionError("there is always an owner")

    async def compare_with_disk(self, wanted: Owner) -> Divergence:
        """Return whether the disk continues the archive, as the rules say."""
        if self.comparison is None or not self.rules.bytes_count:
            return Divergence(None)
        look = partial(self.comparison.compare, self.link.store, self.claimant())
        found: Divergence = await self.link.ask(partial(look, self.disk.wal, wanted))
        return found

    async def conditional_bucket(self) -> Naive:
        """Return this member's way to the store."""
        return self.link

    async def sleep(self, seconds: float) -> None:
        """Wait by the clock of all."""
        await wait(Sleep(self.clock() + seconds))
