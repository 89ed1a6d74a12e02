"""The scheduler: time, links, machines, and a person; at random, from a seed."""

import random
from collections import Counter

from tests.unit.ownership.instance import Agent
from tests.unit.ownership.member import Member
from tests.unit.ownership.net import Request, Sleep, State, Store
from tests.unit.ownership.rules import LEASE_S, TICK_S, Naive, Rules, owner_in
from tests.unit.ownership.streams import Streams
from tests.unit.ownership.wal import SIZE, SYSTEM
from walsup.archive.owner_record import Owner
from walsup.archive.paths import OWNER_KEY
from walsup.datadir.markers import Adoption
from walsup.init.deadline_enforcer import KILL_LEASES

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
        self._streams = Streams(self.members, rules, self._write)
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
        self._streams.flow(self.now_s, self.cut)
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

    def _write(self, primary: Member) -> None:
        primary.disk.lsn += 1

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
            member.promote(sure=lambda: self.sure(member))

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
        member.stop()

    def adopt(self, member: Member) -> None:
        """A person says that this one goes on."""
        if (owner := owner_in(self.store)) is not None:
            holder = (owner.instance, owner.boot, owner.epoch)
            member.disk.adoption = Adoption("archive", holder)

    def start(self, member: Member) -> None:
        """Start it, unless it runs."""
        if not member.running and not member.frozen:
            member.start(alone=self.alone)

    def wait(self, leases: float) -> None:
        """Let about so many leases pass."""
        for _ in range(round(leases * (0.7 + 0.6 * self.random.random()) * LEASE_S / TICK_S)):
            self.tick()

    def close(self) -> None:
        """End all."""
        for member in self.members:
            member.end()
