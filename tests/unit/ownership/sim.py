"""The scheduler: time, links, machines, and a person; at random, from a seed."""

import random
from collections import Counter
from collections.abc import Callable

from tests.unit.ownership.member import Agent, Member
from tests.unit.ownership.net import Request, Sleep, State, Store
from tests.unit.ownership.rules import LEASE_S, Naive, Rules, owner_in
from tests.unit.ownership.wal import SIZE, SYSTEM
from walsup.archive.owner_record import Owner
from walsup.archive.paths import OWNER_KEY
from walsup.datadir.markers import Adoption
from walsup.init.fence_deadline import KILL_LEASES

TICK_S = LEASE_S / 12
_ROUNDS = 6


class BrokenError(AssertionError):
    """What must never be has been."""


class Sim:
    """Members on one archive, of which the first is the primary and the others stream from it."""

    def __init__(self, seed: int, rules: Rules, members: int = 2, *, alone: bool = False) -> None:
        self.random = random.Random(seed)
        self.now_s = 1000.0
        self.rules = rules
        self.alone = alone
        self.store = Store(conditions=rules.conditions)
        first = Owner(
            system_id=SYSTEM,
            instance="i0",
            boot="before",
            epoch=1,
            timeline=1,
            lsn=2 * SIZE,
            state="stopped",
            compression="zstd",
            lease_s=LEASE_S,
        )
        self.store.objects[OWNER_KEY] = first.signed().to_json()
        self.members = [
            Member(n, Naive(self.store, n, self.clock, rules), rules, self.clock)
            for n in range(members)
        ]
        for member in self.members:
            member.begun = self._begun
        self.requests: list[Request] = []
        self.down: set[tuple[str, int]] = set()
        self.cut: set[tuple[int, int]] = set()
        self.begun: dict[int, int] = {}
        self.seen: Counter[str] = Counter()
        self.calm = True
        self.scripted = False  # nothing happens by chance
        self.tolerated = False  # a promotion by hand, which no claim precedes

    def clock(self) -> float:
        """The clock of all; rates are one, as BOOTTIME's are to within the margins."""
        return self.now_s

    def _begun(self, timeline: int, member: int) -> None:
        if self.begun.setdefault(timeline, member) != member:
            raise BrokenError(f"timeline {timeline} was begun by two")
        self.seen["promoted"] += 1

    # --- one tick -------------------------------------------------------------------------------

    def tick(self) -> None:
        """Let a twelfth of a lease pass."""
        self.now_s += TICK_S
        for member in self.members:
            if member.running and member.writes and not member.frozen:
                self._fence(member)
        for _ in range(_ROUNDS):
            self._deliver()
            for member in self.members:
                self._run(member, "agent")
                self._run(member, "promoting")
        if not self.calm and self.random.random() < TICK_S / LEASE_S:
            self.promote(self.random.choice(self.members))  # a person who is in a hurry
        self._stream()
        self._judge()

    def _fence(self, member: Member) -> None:
        if self.now_s >= member.until_s + KILL_LEASES * LEASE_S and self.rules.pid1_ends:
            self.seen["fenced"] += 1
            member.end()  # the worst case: it has ignored each signal before KILL
        elif not self.rules.pid1_ends and not member.agent_stands and self.now_s >= member.until_s:
            member.end()  # the agent does it, which stands still just then

    def _deliver(self) -> None:
        for request in list(self.requests):
            luck = self.random.random()
            way = ("request", request.member)
            if request.state is State.SENT:
                if self.now_s >= request.until_s:
                    request.state = State.LATE
                    self.seen["late"] += 1
                elif way not in self.down and (self.calm or luck < 0.7):
                    request.arrive()
            elif request.state is State.ANSWERED:
                if self.now_s >= request.until_s:
                    request.state = State.LATE
                    self.requests.remove(request)  # it has been seen: nothing arrives any more
            elif request.state is State.LATE and luck < 0.02 and not self.scripted:
                self.requests.remove(request)
                if luck < 0.015 and request.writes:
                    self.seen["arrived late"] += 1
                    request.arrive()

    def _run(self, member: Member, which: str) -> None:
        work: Agent | None = getattr(member, which)
        if work is None or not self._may_run(member, which):
            return
        try:
            found = work.send(None)
        except (StopIteration, TimeoutError):
            self._over(member, which)
            return
        if getattr(member, which) is not work:
            return  # promoted: its agent has begun anew
        member.event[which] = found
        if isinstance(found, Request):
            self.requests.append(found)

    def _may_run(self, member: Member, which: str) -> bool:
        """Return whether what it waits for has happened, and it does not stand still."""
        if member.frozen or (which == "agent" and member.agent_stands):
            return False
        event = member.event.get(which)
        if isinstance(event, Sleep):
            return self.now_s >= event.until_s
        if not isinstance(event, Request) or event.state is State.LATE:
            return True
        if event.state is State.SENT or ("answer", member.number) in self.down:
            return False
        if not self.calm and self.random.random() > 0.8:
            return False
        event.state = State.DONE
        self.requests.remove(event)
        return True

    def _over(self, member: Member, which: str) -> None:
        member.event.pop(which, None)
        if which == "promoting":
            member.promoting = None
        elif member.agent is not None and not (member.writes and not member.refused):
            self.seen[member.refused] += 1
            member.end()

    def _stream(self) -> None:
        """The primaries write; what flows, is acknowledged, and moves the deadline."""
        for primary in self.members:
            if not primary.writes or primary.frozen:
                continue
            self._write(primary)
            acknowledged = {
                standby.name: standby.disk.lsn
                for standby in self.members
                if self._takes(standby, primary)
                and (standby.number, primary.number) not in self.cut
            }
            if not primary.agent_stands:
                self._heard(primary, acknowledged)

    def _write(self, primary: Member) -> None:
        primary.disk.lsn += 1

    def _takes(self, standby: Member, primary: Member) -> bool:
        """Let what is there of the stream flow; gives whether the standby can answer."""
        d = standby.disk
        if standby is primary or not d.standby or d.unsure or not standby.running:
            return False
        if standby.frozen or not self._follows(standby, primary):
            return False
        if primary.by_hand and primary.lease is None:
            return False
        if (primary.number, standby.number) not in self.cut:
            theirs = primary.disk
            d.timeline, d.left, d.lsn = theirs.timeline, theirs.left, theirs.lsn
            d.wal = theirs.wal.copy()
            d.wal.done.update(d.wal.segments)
        return True

    def _heard(self, primary: Member, acknowledged: dict[str, int]) -> None:
        fence, lsn = primary.fence, primary.disk.lsn
        fence.wrote(self.now_s - TICK_S, lsn)
        primary.heard = frozenset(acknowledged)
        if not self.rules.echo:
            acknowledged = dict.fromkeys(acknowledged, lsn)
        if not self.rules.all_heirs and acknowledged:
            acknowledged = dict.fromkeys(fence.heirs, lsn)
        fence.acknowledged(acknowledged)
        if fence.renewed_s > 0:
            primary.until_s = fence.until_s

    @staticmethod
    def _follows(standby: Member, primary: Member) -> bool:
        mine, theirs = standby.disk, primary.disk
        if mine.timeline == theirs.timeline:
            return mine.lsn <= theirs.lsn
        left = next((s for s in theirs.left if s.timeline == mine.timeline), None)
        return left is not None and mine.lsn <= left.switch_lsn

    def _judge(self) -> None:
        writers = [m for m in self.members if m.writes and not m.frozen]
        if len(writers) > 1 and not self.tolerated:
            raise BrokenError(f"{[m.boot for m in writers]} take writes")
        archivers = [m for m in self.members if m.archives and not m.frozen]
        if len(archivers) > 1:
            raise BrokenError(f"{[m.boot for m in archivers]} hold the archive")

    # --- what a person and fate do ----------------------------------------------------------------

    def sure(self, member: Member) -> bool:
        """Whether no other takes writes, or could when it thaws: a person has looked."""
        return self.alone or not any(m.writes for m in self.members if m is not member)

    def promote(self, member: Member) -> None:
        """Run `walsup promote` there."""
        d = member.disk
        if member.running and d.standby and not d.unsure and member.promoting is None:
            self.seen["promote"] += 1
            member.promoting = member.promote(sure=lambda: self.sure(member))

    def stop(self, member: Member) -> None:
        """End it cleanly: postgres first, then the archive is given up."""
        if not member.running or member.stopping or member.frozen:
            return
        member.stopping = True
        if member.agent is not None:
            member.agent.close()
        if member.promoting is not None:
            member.promoting.close()
            member.promoting = None
        member.event.clear()
        member.writes = False
        member.agent = member.stop()

    def adopt(self, member: Member) -> None:
        """A person says that this one goes on."""
        if (owner := owner_in(self.store)) is not None:
            holder = (owner.instance, owner.boot, owner.epoch)
            member.disk.adoption = Adoption("archive", holder)

    def start(self, member: Member) -> None:
        """Start it, unless it runs."""
        if not member.running and not member.frozen:
            member.start(alone=self.alone)

    def deviate(self) -> None:
        """Let one thing happen, at random."""
        pick = self.random.choice
        member = pick(self.members)
        other = pick([m for m in self.members if m is not member])
        match self.random.randrange(18):
            case 0 | 1 | 2:
                self.stop(member)
            case 3:
                member.end()
            case 4 | 5 | 6:
                self.start(member)
            case 7 | 8 | 9:
                self.promote(member)
            case 10:
                member.frozen = not member.frozen
            case 11:
                member.agent_stands = not member.agent_stands
            case 12 | 13:
                self.down ^= {(pick(("request", "answer")), member.number)}
            case 14:
                self.cut ^= {(member.number, other.number)}
            case 15:
                self.cut ^= {(member.number, other.number), (other.number, member.number)}
            case _:
                self.isolate(member)

    def isolate(self, member: Member) -> None:
        """Take it off the network, or put it back."""
        ways = {("request", member.number), ("answer", member.number)}
        links = {
            pair
            for other in self.members
            if other is not member
            for pair in ((member.number, other.number), (other.number, member.number))
        }
        if ways <= self.down:
            self.down -= ways
            self.cut -= links
        else:
            self.down |= ways
            self.cut |= links

    def besiege(self) -> None:
        """Take the primary's ways away one by one, in any order, while a standby is promoted."""
        primary = next((m for m in self.members if m.writes), self.members[0])
        standby = self.random.choice([m for m in self.members if m is not primary])
        one, other = (primary.number, standby.number), (standby.number, primary.number)
        steps: list[Callable[[], object]] = [
            lambda: self.cut.update({one, other}),
            lambda: self.cut.add(self.random.choice((one, other))),
            lambda: self.down.add(("request", primary.number)),
            lambda: self.down.add(("answer", primary.number)),
            lambda: setattr(primary, "agent_stands", True),
            lambda: setattr(primary, "frozen", not primary.frozen),
            lambda: self.stop(primary),
            lambda: self.start(primary),
            lambda: setattr(standby, "frozen", not standby.frozen),
            lambda: self.promote(standby),
            lambda: self.promote(standby),
        ]
        for step in self.random.sample(steps, self.random.randrange(3, len(steps))):
            step()
            self.wait(self.random.choice((0.0, 0.3, 1.0, 2.5, 5.0)))

    def wait(self, leases: float) -> None:
        """Let about so many leases pass."""
        for _ in range(round(leases * (0.7 + 0.6 * self.random.random()) * LEASE_S / TICK_S)):
            self.tick()

    def close(self) -> None:
        """End all."""
        for member in self.members:
            member.end()

    def heal(self) -> None:
        """Everything is well again, and everything runs."""
        self.calm = True
        self.down.clear()
        self.cut.clear()
        self.requests = [r for r in self.requests if r.state is not State.LATE]
        for member in self.members:
            member.frozen = member.agent_stands = False
            self.start(member)
