"""One writer, as a state machine: two to four instances, their WAL, and all that can happen."""

import itertools
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.unit.ownership.archiving import Archiving
from tests.unit.ownership.disk import Disk
from tests.unit.ownership.member import Member
from tests.unit.ownership.net import Request, State
from tests.unit.ownership.rules import LEASE_S, TICK_S, Rules
from tests.unit.ownership.sim import BrokenError

LEASE = round(LEASE_S / TICK_S)
WHO = st.integers(0, 3)
WAITS = st.sampled_from([0.1, 0.4, 1.0, 2.5, 5.0])
PARTS = ["request", "answer", "to", "from", "agent"]
_COUNT = itertools.count()


class OneWriter(RuleBasedStateMachine):
    """Walsup's own lease, claim, admission, comparison, promotion and fence decide."""

    def __init__(self, base: Path, rules: Rules, happened: Counter[str]) -> None:
        super().__init__()
        self._base, self._rules, self._happened = base, rules, happened
        self._snapshots: list[Disk] = []
        self.sim: Archiving | None = None

    @initialize(members=st.integers(2, 4), alone=st.booleans())
    def begin(self, members: int, alone: bool) -> None:  # noqa: FBT001 (drawn)
        """The first is the primary, and archives; the others stream from it."""
        place = self._base / str(next(_COUNT))
        self.sim = sim = Archiving(place, self._rules, members, alone=alone)
        for member in sim.members:
            sim.start(member)
        self._ticks(3)
        assert [m.writes for m in sim.members] == [True] + [False] * (members - 1)
        sim.settle()

    def teardown(self) -> None:
        """Count what has happened."""
        if self.sim is not None:
            self._happened.update(self.sim.seen)
            self.sim.close()

    def _ticks(self, leases: float) -> None:
        for _ in range(round(leases * LEASE)):
            self._now.tick()

    @property
    def _now(self) -> Archiving:
        assert self.sim is not None
        return self.sim

    def _pick(self, who: int, among: Callable[[Member], object]) -> Member | None:
        """Return one of those, None when there is none: then nothing happens."""
        found = [member for member in self._now.members if among(member)]
        return found[who % len(found)] if found else None

    @rule(leases=WAITS)
    def wait(self, leases: float) -> None:
        """Time passes."""
        self._ticks(leases)

    @rule(who=WHO, leases=WAITS)
    def start(self, who: int, leases: float) -> None:
        """One that has ended is started."""
        if member := self._pick(who, lambda m: not m.running):
            self._now.start(member)
            self._ticks(leases)

    @rule(who=WHO, cleanly=st.booleans())
    def end(self, who: int, cleanly: bool) -> None:  # noqa: FBT001 (drawn)
        """One is stopped, or ends at once; the primary sooner than another."""
        if member := self._pick(who, _writes) or self._pick(who, lambda m: m.running):
            (self._now.stop if cleanly else Member.end)(member)
            self._ticks(0.3)

    @rule(who=WHO, leases=WAITS)
    def promote(self, who: int, leases: float) -> None:
        """A person runs `walsup promote` on a standby, and waits for a while."""
        if member := self._pick(who, _is_standby):
            self._now.promote(member)
            self._ticks(leases)

    @rule(who=WHO, leases=WAITS)
    def promote_by_hand(self, who: int, leases: float) -> None:
        """A person calls pg_promote() on a standby, and asks nobody."""
        if member := self._pick(who, _is_standby):
            self._now.promote_by_hand(member)
            self._ticks(leases)

    @rule(who=WHO, leases=WAITS)
    def pause(self, who: int, leases: float) -> None:
        """A machine stands still for a while, all of it."""
        member = self._now.members[who % len(self._now.members)]
        member.frozen = True
        self._ticks(leases)
        member.frozen = False

    @rule(parts=st.sets(st.sampled_from(PARTS), min_size=1), leases=WAITS)
    def besiege(self, parts: set[str], leases: float) -> None:
        """The primary loses ways to the bucket and to its standbys, or its agent stands still."""
        if primary := self._pick(0, _writes):
            self._now.besiege_with(primary, parts)
            self._ticks(leases)

    @rule(one=WHO, other=WHO)
    def cut_a_stream(self, one: int, other: int) -> None:
        """What one sends to another does not arrive, or arrives again."""
        numbers = len(self._now.members)
        self._now.cut ^= {(one % numbers, other % numbers)}

    @rule()
    def mend(self) -> None:
        """The network is well again, and every agent runs."""
        self._now.down.clear()
        self._now.cut.clear()
        for member in self._now.members:
            member.agent_stands = False

    @precondition(lambda self: self._late())
    @rule(which=WHO, arrives=st.booleans())
    def late_write(self, which: int, arrives: bool) -> None:  # noqa: FBT001 (drawn)
        """A write that was given up arrives after all, or never."""
        late = self._late()
        request = late[which % len(late)]
        self._now.requests.remove(request)
        if arrives:
            request.arrive()
            self._now.seen["arrived late"] += 1
            self._ticks(0.4)

    @rule(leases=WAITS, more=WAITS)
    def hold_writes_up(self, leases: float, more: float) -> None:
        """Requests of the primary are held up by the network, and arrive in the end."""
        if primary := self._pick(0, _writes):
            self._now.besiege_with(primary, {"request"})
            self._ticks(leases)
            self._now.down.discard(("request", primary.number))
            self._ticks(more)
            while self._late():
                self.late_write(which=0, arrives=True)

    def _late(self) -> list[Request]:
        waiting = self.sim.requests if self.sim else []
        return [r for r in waiting if r.state is State.LATE and r.writes]

    @rule(who=WHO, leases=WAITS)
    def snapshot(self, who: int, leases: float) -> None:
        """A volume is copied while it is in use, the primary's sooner than another."""
        if member := self._pick(who, _writes) or self._pick(who, lambda _: True):
            self._snapshots.append(member.disk.copy())
            self._ticks(leases)

    @precondition(lambda self: self._snapshots)
    @rule(which=WHO, leases=WAITS)
    def put_a_snapshot_back(self, which: int, leases: float) -> None:
        """An instance goes on from an earlier state of its own volume."""
        disk = self._snapshots[which % len(self._snapshots)]
        member = self._pick(0, lambda m: m.disk.instance == disk.instance)
        if member and not member.frozen:
            self._now.put_back(member, disk)
            self._ticks(leases)

    @precondition(lambda self: self._snapshots)
    @rule(who=WHO, which=WHO)
    def make_a_copy(self, who: int, which: int) -> None:
        """Another instance is made of a snapshot: a standby, that a person may promote."""
        if member := self._pick(who, lambda m: not m.writes and not m.frozen):
            self._now.make_copy(member, self._snapshots[which % len(self._snapshots)])

    @rule(who=WHO)
    def adopt(self, who: int) -> None:
        """A person says that this one goes on."""
        self._now.adopt(self._now.members[who % len(self._now.members)])


def _writes(member: Member) -> bool:
    return member.writes


def _is_standby(member: Member) -> bool:
    d = member.disk
    return member.running and not member.frozen and d.standby and not d.unsure and not member.writes


def explore(base: Path, rules: Rules, *, examples: int) -> Counter[str]:
    """Run the machine; gives what has happened.

    Raises:
        BrokenError: what must never be has been.
    """
    happened: Counter[str] = Counter()
    machine = partial(OneWriter, base, rules, happened)
    run_state_machine_as_test(
        cast("type[RuleBasedStateMachine]", machine),  # it is called, and no more
        settings=settings(
            max_examples=examples,
            stateful_step_count=20,
            phases=[Phase.generate],
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return happened


RULES = pytest.mark.rule("one-owner", "fencing", "ownership", "divergence", "role-from-the-archive")


@RULES
def test_there_is_one_writer_whatever_happens(tmp_path: Path) -> None:
    """And all that is archived is the WAL of one history."""
    happened = explore(tmp_path, Rules(), examples=100)
    # What never happened was not tried.
    for what in ("promoted", "fenced", "arrived late", "stopped", "archived"):
        assert happened[what], what


@RULES
@pytest.mark.soak
def test_there_is_one_writer_in_long(tmp_path: Path) -> None:
    """The same, for minutes."""
    explore(tmp_path, Rules(), examples=3000)


@RULES
def test_a_planted_fault_is_found_by_chance(tmp_path: Path) -> None:
    """Another's lease that is compared with the wrong side shows itself in many orders."""
    with pytest.raises(BrokenError):
        explore(tmp_path, Rules(right_side=False), examples=500)


def _agent_hangs(machine: OneWriter) -> None:
    """Only PID 1 is left to end a primary that no standby acknowledges."""
    machine.besiege(parts={"agent", "to", "from"}, leases=0.1)
    machine.promote(who=0, leases=5.0)
    machine.wait(leases=5.0)


def _left_too_early(machine: OneWriter) -> None:
    """A standby that lags is promoted by hand, and claims what goes on behind its fork."""
    machine.besiege(parts={"to"}, leases=2.5)
    machine.end(who=0, cleanly=False)
    machine.promote_by_hand(who=0, leases=5.0)
    machine.wait(leases=2.5)


def _older_volume(machine: OneWriter) -> None:
    """A snapshot from before the archive's end is put back, and writes other WAL."""
    machine.snapshot(who=0, leases=5.0)
    machine.put_a_snapshot_back(which=0, leases=5.0)


def _two_promotions_at_once(machine: OneWriter) -> None:
    """A claim without If-Match, or a promotion without a claim: both begin."""
    machine.end(who=0, cleanly=True)
    machine.wait(leases=1.0)
    machine.promote(who=0, leases=0.0)
    machine.promote(who=1, leases=5.0)


def _stopped_unanswered(machine: OneWriter) -> None:
    """The "stopped" that arrived late counts as never written by who has sent it."""
    machine.besiege(parts={"answer"}, leases=0.1)
    machine.end(who=0, cleanly=True)
    machine.wait(leases=0.4)
    machine.promote(who=0, leases=2.5)


def _one_way(machine: OneWriter) -> None:
    """Standbys that receive nothing still answer: that acknowledges nothing."""
    machine.besiege(parts={"request", "to"}, leases=0.1)
    machine.promote(who=0, leases=5.0)
    machine.wait(leases=5.0)


SCHEDULES: dict[str, Callable[[OneWriter], None]] = {
    "conditions": _two_promotions_at_once,
    "claim_before_promotion": _two_promotions_at_once,
    "stopped_is_final": _stopped_unanswered,
    "echo": _one_way,
    "pid1_ends": _agent_hangs,
    "timelines_count": _left_too_early,
    "bytes_count": _older_volume,
}


@RULES
@pytest.mark.parametrize("fault", SCHEDULES)
def test_a_planted_fault_is_found_by_its_schedule(tmp_path: Path, fault: str) -> None:
    """The machine's own steps in an order that chance finds seldom: with the rule, and without."""
    _replay(tmp_path, Rules(), SCHEDULES[fault])
    with pytest.raises(BrokenError):
        _replay(tmp_path, Rules(**{fault: False}), SCHEDULES[fault])


def _replay(base: Path, rules: Rules, schedule: Callable[[OneWriter], None]) -> None:
    machine = OneWriter(base, rules, Counter())
    machine.begin(members=3, alone=False)
    try:
        schedule(machine)
    finally:
        machine.teardown()
