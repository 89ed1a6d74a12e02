"""What happens to the instances of a model, at random, and how all is well again."""

from collections.abc import Callable

from tests.unit.ownership.member import Member
from tests.unit.ownership.net import State
from tests.unit.ownership.sim import Sim


def deviate(sim: Sim) -> None:
    """Let one thing happen, at random."""
    pick = sim.random.choice
    member = pick(sim.members)
    other = pick([m for m in sim.members if m is not member])
    match sim.random.randrange(18):
        case 0 | 1 | 2:
            sim.stop(member)
        case 3:
            member.end()
        case 4 | 5 | 6:
            sim.start(member)
        case 7 | 8 | 9:
            sim.promote(member)
        case 10:
            member.frozen = not member.frozen
        case 11:
            member.agent_stands = not member.agent_stands
        case 12 | 13:
            sim.down ^= {(pick(("request", "answer")), member.number)}
        case 14:
            sim.cut ^= {(member.number, other.number)}
        case 15:
            sim.cut ^= {(member.number, other.number), (other.number, member.number)}
        case _:
            isolate(sim, member)


def isolate(sim: Sim, member: Member) -> None:
    """Take it off the network, or put it back."""
    ways = {("request", member.number), ("answer", member.number)}
    links = {
        pair
        for other in sim.members
        if other is not member
        for pair in ((member.number, other.number), (other.number, member.number))
    }
    if ways <= sim.down:
        sim.down -= ways
        sim.cut -= links
    else:
        sim.down |= ways
        sim.cut |= links


def besiege(sim: Sim) -> None:
    """Take the primary's ways away one by one, in any order, while a standby is promoted."""
    primary = next((m for m in sim.members if m.writes), sim.members[0])
    standby = sim.random.choice([m for m in sim.members if m is not primary])
    one, other = (primary.number, standby.number), (standby.number, primary.number)
    steps: list[Callable[[], object]] = [
        lambda: sim.cut.update({one, other}),
        lambda: sim.cut.add(sim.random.choice((one, other))),
        lambda: sim.down.add(("request", primary.number)),
        lambda: sim.down.add(("answer", primary.number)),
        lambda: setattr(primary, "agent_stands", True),
        lambda: setattr(primary, "frozen", not primary.frozen),
        lambda: sim.stop(primary),
        lambda: sim.start(primary),
        lambda: setattr(standby, "frozen", not standby.frozen),
        lambda: sim.promote(standby),
        lambda: sim.promote(standby),
    ]
    for step in sim.random.sample(steps, sim.random.randrange(3, len(steps))):
        step()
        sim.wait(sim.random.choice((0.0, 0.3, 1.0, 2.5, 5.0)))


def heal(sim: Sim) -> None:
    """Everything is well again, and everything runs."""
    sim.calm = True
    sim.down.clear()
    sim.cut.clear()
    sim.requests = [r for r in sim.requests if r.state is not State.LATE]
    for member in sim.members:
        member.frozen = member.agent_stands = False
        sim.start(member)
