"""Never two that take writes, never two that archive, and always a way back (S2, S19)."""

from collections import Counter
from contextlib import closing

import pytest

from tests.unit.ownership import fate
from tests.unit.ownership.rules import LEASE_S, TICK_S, Rules
from tests.unit.ownership.sim import BrokenError, Sim

LEASE = round(LEASE_S / TICK_S)


def walk(seed: int, rules: Rules, *, members: int, alone: bool) -> Counter[str]:
    """Begin well, let some things happen, heal, and be whole again; gives what has happened.

    Raises:
        BrokenError: what must never be has been.
    """
    with closing(Sim(seed, rules, members, alone=alone)) as sim:
        _walk(sim, seed)
        if not is_whole_again(sim):
            raise BrokenError(f"none takes writes in the end: {sim.seen}")
        return sim.seen


def _walk(sim: Sim, seed: int) -> None:
    for member in sim.members:
        sim.start(member)
    for _ in range(3 * LEASE):
        sim.tick()
    assert [m.writes for m in sim.members] == [True] + [False] * (len(sim.members) - 1)
    sim.calm = False
    if seed % 3:
        fate.besiege(sim)
    for _ in range(sim.random.randrange(3, 10)):
        fate.deviate(sim)
        sim.wait(sim.random.choice((0.1, 1.0, 5.0)))
    fate.heal(sim)


def is_whole_again(sim: Sim) -> bool:
    """Whether one takes writes in the end; a person promotes, and adopts when that does not do."""
    for attempt in range(6):
        for _ in range(12 * LEASE):
            sim.tick()
            for member in sim.members:
                sim.start(member)
        writers = [member for member in sim.members if member.writes]
        if len(writers) == 1 and writers[0].lease is not None:
            return True
        for member in sim.members:
            sim.promote(member)
        if attempt > 2:
            sim.adopt(sim.members[attempt % len(sim.members)])
    return False


@pytest.mark.parametrize("alone", [False, True], ids=["auto", "on"])
@pytest.mark.parametrize("members", [2, 3])
@pytest.mark.rule("role-from-the-archive")
def test_never_two_primaries_and_always_one_in_the_end(members: int, alone: bool) -> None:  # noqa: FBT001 (a case)
    """Starts, stops, crashes, promotions, partitions, late writes and pauses, at random."""
    _explore(range(40), members=members, alone=alone)


@pytest.mark.soak
@pytest.mark.parametrize("alone", [False, True], ids=["auto", "on"])
@pytest.mark.parametrize("members", [2, 3])
@pytest.mark.rule("role-from-the-archive")
def test_never_two_primaries_in_long(members: int, alone: bool) -> None:  # noqa: FBT001 (a case)
    """The same, for a minute each."""
    _explore(range(1000, 2500), members=members, alone=alone)


def _explore(seeds: range, *, members: int, alone: bool) -> None:
    happened: Counter[str] = Counter()
    for seed in seeds:
        happened += walk(seed, Rules(), members=members, alone=alone)
    # What never happened was not tried.
    for what in ("promoted", "fenced", "arrived late", "stopped"):
        assert happened[what], what


# What random walks miss within seconds has a schedule of its own in test_schedules.
FAULTS = (
    *("claim_before_promotion", "conditions", "fresh_nonce", "no_wal_comes", "all_heirs"),
    *("pid1_ends", "echo", "free_timeline"),
)


@pytest.mark.parametrize("rule", FAULTS)
@pytest.mark.rule("role-from-the-archive")
def test_a_rule_that_is_taken_out_is_missed(rule: str) -> None:
    """A model that finds nothing proves nothing."""
    rules = Rules(**{rule: False})
    for seed in range(600):
        try:
            walk(seed, rules, members=2 + seed % 2, alone=bool(seed & 2))
        except (BrokenError, KeyError):
            return
    pytest.fail(f"not found: {rule}")
