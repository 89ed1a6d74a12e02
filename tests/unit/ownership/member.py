"""One instance: its disk, its PID 1, its agent as a coroutine, and `walsup promote` in it.

What decides is walsup's own: the decision on claims, the lease, the rank of a directory, the claim
of a promotion, the fence. What is modelled is when they are asked, and what becomes of the answers.
"""

import math
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, cast

from tests.unit.ownership.net import Sleep, Store, wait
from tests.unit.ownership.rules import LEASE_S, Naive, Rules, rivals
from tests.unit.ownership.wal import SIZE, SYSTEM, Comparison, Wal, archived, follows
from tests.unit.ownership.wal import Line as WalLine
from walsup.archive.catalog import commit_times as owners
from walsup.archive.catalog.timelines import TimelineHistory
from walsup.archive.lease_terms import RIVAL_LEASES, STREAM_LEASES
from walsup.archive.owner_record import Owner
from walsup.archive.ownership import role, takeover
from walsup.archive.ownership.admission import Claimant, Rejected, Take, TryAgain
from walsup.archive.ownership.claim import Rivals, claim
from walsup.archive.ownership.divergence import Divergence
from walsup.archive.ownership.fence import Fence
from walsup.archive.ownership.identity import Evidence
from walsup.archive.ownership.lease import Lease, LostError, Proven
from walsup.archive.ownership.role import (
    HeldByAnother,
    Neither,
    StayPrimary,
    StepDown,
    ThisInstance,
)
from walsup.archive.storage.bucket import Bucket
from walsup.commands.promote.owner_watch import StreamSilence
from walsup.datadir.markers import Adoption
from walsup.postgres.pg_control import ControlData, DBState
from walsup.postgres.wal import Segment, Switch

PATIENCE_S = 2 * LEASE_S
Agent = Coroutine[Any, Any, None]


@dataclass(kw_only=True)
class Disk:
    """A data directory. `lsn`: what it has of its timeline."""

    instance: str
    standby: bool
    timeline: int = 1
    left: tuple[Switch, ...] = ()
    lsn: int = 2 * SIZE
    unsure: bool = False
    known_epoch: int = 0
    adoption: Adoption | None = None
    wal: Wal = field(default_factory=Wal)

    @property
    def line(self) -> WalLine:
        """Its timelines."""
        return WalLine(self.timeline, self.left)

    @property
    def is_consistent(self) -> bool:
        """Whether it has come to where its last timeline begins."""
        return not self.left or self.lsn >= self.left[-1].switch_lsn

    def copy(self) -> "Disk":
        """Return it as a snapshot has it."""
        return replace(self, wal=self.wal.copy())

    def replay(self, store: Store) -> None:
        """Take what is archived behind it, as far as it continues what is here."""
        for name, content in archived(store, self.line, self.lsn):
            start_lsn = Segment.parse(name, SIZE).start_lsn
            before = self.wal.segments.get(self.line.at(start_lsn - SIZE).name)
            if before is not None and not follows(content, before):
                return
            self.wal.segments[name] = content
            self.wal.done.add(name)
            self.lsn = start_lsn + SIZE


class Member:
    """One of them; the scheduler lets it run, stand still and die."""

    def __init__(self, number: int, link: Naive, rules: Rules, clock: Callable[[], float]) -> None:
        self.number, self.link, self.rules, self.clock = number, link, rules, clock
        # It has what is asked of a bucket here, and no more.
        self.bucket = cast("Bucket", link)
        self.disk = Disk(instance=f"i{number}", standby=number > 0)
        self.begun: Callable[[int, int], None] = lambda _timeline, _member: None
        self.granted: Callable[[Member, Lease], None] = lambda _member, _lease: None
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
        self.fence = Fence(LEASE_S, alone=False)
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

    def start(self, *, alone: bool) -> None:
        """Start its container."""
        self.reset()
        self.starts += 1
        self.running = True
        self.alone = alone
        self.fence = Fence(LEASE_S, alone=alone)
        self.agent = self._life()

    def end(self) -> None:
        """Its PID 1 has ended, and everything with it."""
        for work in (self.agent, self.promoting):
            if work is not None:
                work.close()
        frozen = self.frozen
        self.reset()
        self.frozen = frozen

    # --- what it says of itself ---------------------------------------------------------------

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

    async def _rank(self) -> role.Rank:
        d = self.disk
        owner = await owners.owner(self.bucket)
        lines: dict[int, tuple[Switch, ...]] = await self.link.ask(
            lambda: dict(self.link.store.lines)
        )
        own = ThisInstance(
            system_id=SYSTEM,
            instance=d.instance,
            timeline=d.timeline,
            left=d.left,
            owned=True,
            adoption=d.adoption,
            known_epoch=d.known_epoch if self.rules.epoch else 0,
        )
        above = [
            TimelineHistory.of(number, left)
            for number, left in lines.items()
            if number > d.timeline
        ]
        return role.judge(own, owner, above, empty=False)

    # --- a start --------------------------------------------------------------------------------

    async def _life(self) -> None:
        d = self.disk
        if d.standby and not d.unsure:
            return await self._follow()
        if await self._becomes_primary():
            self._arm(self.claimed)
            d.standby = d.unsure = False
            return await self._primary()
        return await self._follow()

    async def _becomes_primary(self) -> bool:
        """Ask the archive what this directory is; False: a standby, or read-only."""
        d, watched = self.disk, rivals(self.rules, self.clock)
        silent_s = self.clock() + PATIENCE_S
        late_s = silent_s + RIVAL_LEASES * LEASE_S
        while True:
            await self._sleep(LEASE_S / 6)
            again_s = silent_s
            try:
                match await self._rank():
                    case StepDown(timeline=timeline):
                        self._rebuild(timeline)
                        return False
                    case StayPrimary():
                        if not self.rules.claim_before_start or await self._claimed(watched):
                            return True
                        again_s = late_s
                    case _:
                        pass
            except TimeoutError:
                pass
            if self.clock() >= again_s:
                d.standby = d.unsure = True
                return False

    async def _claimed(self, watched: Rivals) -> bool:
        found = await takeover.before_start(self.bucket, self.claimant(), watched, unsafe=False)
        self.claimed = found if isinstance(found, Lease) else None
        return found is None or isinstance(found, Lease)

    def _rebuild(self, timeline: int) -> None:
        self.rebuilt += 1
        self.disk = Disk(
            instance=f"i{self.number}.{self.rebuilt}",
            standby=True,
            timeline=timeline,
            left=self.link.store.lines[timeline],
            known_epoch=self.disk.known_epoch,
        )

    async def _follow(self) -> None:
        watched = rivals(self.rules, self.clock)
        while True:
            await self._sleep(LEASE_S / 3)
            try:
                owner = await owners.owner(self.bucket)
                if owner is not None:
                    self.disk.known_epoch = max(self.disk.known_epoch, owner.epoch)
                if not self.disk.unsure:
                    continue
                match await self._rank():
                    case StayPrimary() if not await self._claimed(watched):
                        continue
                    case HeldByAnother() | Neither():
                        continue
            except TimeoutError:
                continue
            self.refused = "to be started as what it is"
            return

    # --- a primary ------------------------------------------------------------------------------

    def _arm(self, lease: Lease | None) -> None:
        if self.alone and lease is not None and self.rules.armed_at_once:
            self.until_s = lease.until_s

    async def _primary(self) -> None:
        self.writes = True
        watched = rivals(self.rules, self.clock)
        while True:
            try:
                found = await claim(self.bucket, self.claimant(), watched, self)
            except TimeoutError:
                await self._sleep(LEASE_S / 2)
                continue
            if isinstance(found, Lease):
                self._holds(found)
                lost = await self._hold(found)
                self.lease = None
                if lost is not None and self.rules.evidence_ends:
                    break
                continue
            if found.living is not None and self.rules.evidence_ends:
                break
            await self._sleep(LEASE_S / 2)
        self.refused = "another holds the archive"

    def _holds(self, lease: Lease) -> None:
        self.granted(self, lease)
        self.lease = lease
        self.disk.adoption = None
        self.disk.known_epoch = max(self.disk.known_epoch, lease.owner.epoch)
        self.fence.renewed(lease.began_s, frozenset(lease.owner.heirs))

    async def _hold(self, lease: Lease) -> Owner | None:
        d, pause_s = self.disk, 0.0
        while True:
            await self._sleep(min(pause_s, max(0.0, lease.until_s - self.clock())))
            if self.clock() >= lease.until_s and self.rules.lease_ends:
                return None
            try:
                if d.timeline not in self.link.store.lines:
                    await self.link.ask(
                        partial(self.link.store.lines.setdefault, d.timeline, d.left)
                    )
                heirs = self.fence.renews(self.heard)
                await lease.renew(self._proven(lease)._replace(heirs=heirs))
            except LostError as lost:
                return lost.owner
            except TimeoutError:
                pause_s = LEASE_S / 5
                continue
            self.fence.renewed(lease.began_s, frozenset(lease.owner.heirs))
            pause_s = LEASE_S

    def _proven(self, lease: Lease) -> Proven:
        d = self.disk
        if self.comparison is None:
            return Proven(d.timeline, d.lsn // SIZE * SIZE, 0)
        names = [name for name, _ in archived(self.link.store, d.line, lease.owner.lsn)]
        if not names:
            return Proven(lease.owner.timeline, lease.owner.lsn, 0)
        last = Segment.parse(names[-1], SIZE)
        return Proven(last.timeline, last.end_lsn, 0)

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

    async def stop(self) -> None:
        """What the agent does when postgres has been shut down."""
        lease = self.lease
        while lease is not None:
            try:
                await lease.release(self._proven(lease))
            except LostError:
                break
            except TimeoutError:
                if not self.rules.stopped_is_final:
                    lease._may_be_given_up = False  # noqa: SLF001 (planted)
                await self._sleep(LEASE_S / 6)
            else:
                break
        self.refused = "stopped"

    # --- walsup promote ------------------------------------------------------------------------

    async def promote(self, *, sure: Callable[[], bool]) -> None:
        """`walsup promote`; `sure`: a person has seen that no other takes writes."""
        promotion = takeover.Promotion(self.bucket, self.claimant(), self.clock)
        promotion._rivals = rivals(self.rules, self.clock)  # noqa: SLF001 (a planted one)
        stream = StreamSilence()
        while True:
            received = self.disk.lsn
            found = await promotion.look()
            if isinstance(found, Rejected) or (isinstance(found, TryAgain) and found.living):
                return
            if self.rules.object_before_wal:
                received = self.disk.lsn
            silent_s = stream.silent_s(received, self.clock())
            quiet = silent_s >= STREAM_LEASES * LEASE_S or not self.rules.no_wal_comes
            if found is None or promotion.stopped:
                break
            if isinstance(found, Take) and quiet:
                if not self._lists_heirs(promotion) and not sure():
                    return
                break
            await self._sleep(LEASE_S / 6)
        await self._replay()
        await self._promote(promotion)

    async def _replay(self) -> None:
        if self.comparison is not None:
            await self.link.ask(lambda: self.disk.replay(self.link.store))

    @staticmethod
    def _lists_heirs(promotion: takeover.Promotion) -> bool:
        read = promotion._read  # noqa: SLF001 (what the person has seen)
        return read is not None and bool(read[0].heirs)

    async def _promote(self, promotion: takeover.Promotion) -> None:
        if not self.rules.claim_before_promotion:
            self.begin(self.disk.timeline + 1, None)
            return
        claimed = await promotion.claim(unsafe=False)
        if not isinstance(claimed, Lease):
            return
        await self._replay()
        await self._sleep(LEASE_S / 6)
        if claimed.is_held or not self.rules.claim_is_held:
            free = claimed.owner.next_timeline
            self.begin(free if self.rules.free_timeline else self.disk.timeline + 1, claimed)

    def begin(self, timeline: int, lease: Lease | None) -> None:
        """Let postgres end its recovery here; the deadline is there before it takes writes."""
        d = self.disk
        self._arm(lease)
        self.writes = True
        d.left = (*d.left, Switch(timeline=d.timeline, switch_lsn=d.lsn, reason=""))
        d.timeline, d.standby = timeline, False
        self.begun(timeline, self.number)
        if self.agent is not None:
            self.agent.close()
        self.event.pop("agent", None)
        self.agent = self._primary()

    async def _sleep(self, seconds: float) -> None:
        await wait(Sleep(self.clock() + seconds))
