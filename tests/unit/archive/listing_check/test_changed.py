"""An object that changes after a round is found by the next one, however it changes."""

from hypothesis import given
from hypothesis import strategies as st

from walsup.agent.audit.ledger import State, compared
from walsup.archive.catalog.scope import Scope, Stamp
from walsup.archive.catalog.timelines import TimelineHistory
from walsup.archive.listing_check.digests import BLOCK, Digests
from walsup.archive.listing_check.findings import RoundFindings, Suspect
from walsup.archive.listing_check.wal_walk import WalWalk
from walsup.archive.storage.bucket import Listed
from walsup.postgres.wal import Segment

SIZE = 16 << 20
HEAD = 3 * BLOCK + 7


def name(number: int) -> str:
    """Give a segment's name."""
    return Segment(timeline=1, number=number, size=SIZE).name


def look(state: State, objects: dict[int, Stamp], begin: int = 2) -> tuple[Scope, RoundFindings]:
    """Carry out a full round."""
    scope = Scope(
        system_id=7,
        line=TimelineHistory.of(1, ()),
        size=SIZE,
        head=max(objects),
        last=state.last,
        reread=state.reread,
        blocks=state.blocks,
        known={**state.known, **state.accepted},
        accepted=state.accepted,
    )
    walk = WalWalk(scope, begin)
    for number, (size, at) in sorted(objects.items()):
        walk.add(Listed(f"wal_005/{name(number)}.zst", size, at))
    walk.end()
    found = RoundFindings(
        suspects=tuple(walk.suspects),
        more_suspects=walk.more_suspects,
        least_unshown=walk.least_unshown,
        round=walk.round,
        known=walk.known,
        blocks=walk.digests,
    )
    return scope, found


def archive(head: int = HEAD) -> dict[int, Stamp]:
    """Give an archive whose objects are a minute apart."""
    return {number: Stamp(1000 + number, 60.0 * number) for number in range(2, head + 1)}


def verified(objects: dict[int, Stamp], begin: int = 2) -> State:
    """Give what a first round remembers."""
    state = State(archive="s3://b/a", system_id=7)
    return compared(state, *look(state, objects, begin), -1)


@given(
    number=st.integers(2, HEAD),
    size=st.integers(300, 2000),
    at=st.floats(0, 60.0 * HEAD + 500),
    begin=st.sampled_from((2, 3, 40, BLOCK)),
    more=st.integers(0, 2 * BLOCK),
)
def test_any_change_of_size_or_time_is_found(
    number: int, size: int, at: float, begin: int, more: int
) -> None:
    """Also one with an older time (`cp -p`), and while the archive grows."""
    objects = archive()
    state = verified(objects, begin)
    number = max(number, begin)
    assert look(state, objects, begin)[1].suspects == ()
    changed = archive(HEAD + more) | {number: Stamp(size, at)}
    suspects = {one.name for one in look(state, changed, begin)[1].suspects}
    assert (name(number) in suspects) == (changed[number] != objects[number])


def test_nothing_is_forgotten_that_could_not_be_read_yet() -> None:
    """More objects are overwritten than a round shows and reads; some reads fail at first."""
    objects, many = archive(700), set(range(100, 600))
    state = verified(objects)
    objects |= {number: Stamp(4000, 100_000.0 + number % 7) for number in many}
    read, rounds = set[str](), 0
    while True:
        scope, found = look(state, objects)
        strong = sorted(one for one in found.suspects if one.why != "order")
        if not strong:
            break
        rounds += 1
        done = [one for at, one in enumerate(strong[:16]) if rounds % 5 or at % 3]
        left = [Segment.parse(one.name, SIZE).number for one in strong if one not in done]
        left += [found.least_unshown] * (found.more_suspects > 0)
        accepted = state.accepted | {one.name: one.stamp for one in done}
        read |= {one.name for one in done}
        kept = State(**{n: getattr(state, n) for n in State.__slots__} | {"accepted": accepted})
        state = compared(kept, scope, found, min(left, default=-1))
    assert {name(number) for number in many} <= read
    assert rounds < 60
    assert state.reread is None
    # And from now on the new objects are the verified ones.
    assert look(state, objects | {300: Stamp(4000, 50.0)})[1].suspects != ()


def test_digests_of_two_rounds_are_joined_at_a_number() -> None:
    """Those up to it are the newer round's."""
    newer = Digests.build([(1, "a" * 12), (2, "b" * 12), (4, "c" * 12)])
    older = Digests.build([(0, "0" * 12), (2, "2" * 12), (3, "3" * 12)])
    joined = newer.upto(3 * BLOCK - 1, older)
    assert [joined.of(n) for n in range(5)] == ["", "a" * 12, "b" * 12, "3" * 12, ""]
    assert Digests().upto(5, Digests()) == Digests()


def test_nothing_compared_is_no_round() -> None:
    """Before the first base backup's sentinel is there, nothing has been looked at."""
    state = State(archive="s3://b/a", system_id=7)
    scope, found = look(state, archive(), begin=HEAD + 1)
    assert found.round is None
    assert compared(state, scope, found, -1) is state


def test_a_suspect_is_shown_once() -> None:
    """Its time and its block may both tell it."""
    objects = archive()
    state = verified(objects)
    objects[70] = Stamp(1, 1e9)
    names = [one.name for one in look(state, objects)[1].suspects]
    assert len(names) == len(set(names))
    assert Suspect(name(70), "size", objects[70]) in look(state, objects)[1].suspects
