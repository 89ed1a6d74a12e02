"""Schedules that a rule was made for, step by step: with the rule, and without it (S2, S19)."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest

from tests.unit.ownership.member import Member
from tests.unit.ownership.rules import LEASE_S, TICK_S, Rules, owner_in
from tests.unit.ownership.sim import BrokenError, Sim

LEASE = round(LEASE_S / TICK_S)


@contextmanager
def _begun(rules: Rules, members: int, *, alone: bool = False) -> Iterator[Sim]:
    """Give one whose first is the primary and whose others stream."""
    with closing(Sim(1, rules, members, alone=alone)) as sim:
        sim.scripted = True
        for member in sim.members:
            sim.start(member)
        _until(sim, lambda: len(sim.members[0].fence.heirs) == members - 1)
        yield sim


def _until(sim: Sim, seen: Callable[[], object], leases: float = 30.0) -> None:
    for _ in range(round(leases * LEASE)):
        if seen():
            return
        sim.tick()
    raise AssertionError("not seen")


def _ticks(sim: Sim, leases: float) -> None:
    for _ in range(round(leases * LEASE)):
        sim.tick()


def _claimed_and_frozen(rules: Rules) -> None:
    """A promotion stands still after its claim; another is promoted; the first goes on."""
    with _begun(rules, 3) as sim:
        zero, one, two = sim.members
        sim.stop(zero)
        _until(sim, lambda: not zero.running)
        sim.promote(one)
        _until(sim, lambda: _owner(sim) == one.boot)
        one.frozen = True
        sim.promote(two)
        _until(sim, lambda: two.writes)
        one.frozen = False
        _ticks(sim, 3)


def _asked_and_cut_off(rules: Rules) -> None:
    """A former primary is told that it is the primary, and then reaches the bucket no more."""
    with _begun(rules, 2) as sim:
        zero, one = sim.members
        sim.stop(zero)
        _until(sim, lambda: not zero.running)
        zero.link.budget = 2  # the owner object, and the timelines
        sim.start(zero)
        _ticks(sim, 1)
        sim.promote(one)
        _until(sim, lambda: one.writes)
        _ticks(sim, 1)


def _stopped_without_an_answer(rules: Rules) -> None:
    """The "stopped" has arrived, and who sent it is not told; a standby may claim at once."""
    with _begun(rules, 2) as sim:
        zero, one = sim.members
        sim.down.add(("answer", 0))
        sim.stop(zero)
        _until(sim, lambda: _state(sim) == "stopped")
        sim.promote(one)
        _ticks(sim, 2)


def _half_the_patience(rules: Rules) -> None:
    """Silence alone ends the primary; no WAL comes to the standby, whatever it does."""
    for offset in range(LEASE):
        with _begun(replace(rules, no_wal_comes=False), 2, alone=True) as sim:
            _cut_off(sim, offset)


def _cut_off(sim: Sim, offset: int) -> None:
    zero, one = sim.members
    sim.cut |= {(0, 1), (1, 0)}
    _until(sim, lambda: not zero.fence.heirs)
    _ticks(sim, 3 + offset / LEASE)
    sim.down |= {("request", 0)}
    sim.promote(one)
    _ticks(sim, 8)
    assert one.writes


def _not_an_heir(rules: Rules) -> None:
    """The primary goes on by what one standby acknowledges; another, which it lost, is promoted."""
    with _begun(rules, 3) as sim:
        zero, _, two = sim.members
        sim.cut |= {(0, 2), (2, 0)}
        _until(sim, lambda: zero.fence.heirs == {"m1"})
        sim.down |= {("request", 0), ("answer", 0)}
        sim.promote(two)
        _ticks(sim, 12)
        assert zero.writes


def _deadline_before_the_agent(rules: Rules) -> None:
    """A promoted database takes writes before its agent has held the archive once."""
    with _begun(rules, 3, alone=True) as sim:
        zero, one, two = sim.members
        sim.stop(zero)
        _until(sim, lambda: not zero.running)
        one.agent_stands = True
        sim.promote(one)
        _until(sim, lambda: one.writes)
        sim.cut |= {(1, 2), (2, 1)}
        sim.promote(two)
        _ticks(sim, 12)


def _state(sim: Sim) -> str:
    owner = owner_in(sim.store)
    return owner.state if owner else ""


def _owner(sim: Sim) -> str:
    owner = owner_in(sim.store)
    return owner.boot if owner else ""


SCHEDULES: dict[str, Callable[[Rules], None]] = {
    "claim_is_held": _claimed_and_frozen,
    "claim_before_start": _asked_and_cut_off,
    "stopped_is_final": _stopped_without_an_answer,
    "four_leases": _half_the_patience,
    "only_heirs": _not_an_heir,
    "armed_at_once": _deadline_before_the_agent,
}


@pytest.mark.parametrize("rule", SCHEDULES)
@pytest.mark.rule("role-from-the-archive")
def test_the_rule_is_needed_for_its_schedule(rule: str) -> None:
    """With it never two; without it two."""
    SCHEDULES[rule](Rules())
    with pytest.raises(BrokenError):
        SCHEDULES[rule](Rules(**{rule: False}))


@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.rule("role-from-the-archive")
def test_a_promotion_by_hand_ends_within_the_lease_by_evidence_alone(ends: bool) -> None:  # noqa: FBT001 (a case)
    """It claims nothing beforehand: the owner's next renewal tells it, and only that."""
    with _begun(Rules(evidence_ends=ends), 2) as sim:
        zero, one = sim.members
        sim.tolerated = True
        one.begin(2, None)
        together = 0
        while one.writes and zero.writes and together < 4 * LEASE:
            sim.tick()
            together += 1
        assert (together <= 2 * LEASE) is ends
        assert zero.writes


def test_members_are_what_the_schedules_think() -> None:
    """The first is the primary, and the others are listed."""
    with _begun(Rules(), 3) as sim:
        names = [member.name for member in sim.members if isinstance(member, Member)]
        assert sim.members[0].fence.heirs == set(names[1:])
