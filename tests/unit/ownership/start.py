"""A start of an instance: the archive says what its directory is, and what it becomes."""

from tests.unit.ownership import primary
from tests.unit.ownership.disk import Disk
from tests.unit.ownership.instance import Instance
from tests.unit.ownership.rules import LEASE_S, rivals
from tests.unit.ownership.wal import SYSTEM
from walsup.archive.catalog import commit_times as owners
from walsup.archive.catalog.timelines import TimelineHistory
from walsup.archive.lease_terms import RIVAL_LEASES
from walsup.archive.ownership import role, takeover
from walsup.archive.ownership.claim import OwnerWatch
from walsup.archive.ownership.lease import Lease
from walsup.archive.ownership.role import (
    HeldByAnother,
    Neither,
    StayPrimary,
    StepDown,
    ThisInstance,
)
from walsup.postgres.wal import Switch

_PATIENCE_S = 2 * LEASE_S


async def life(one: Instance) -> None:
    """Ask the archive what the directory is, and be a primary or follow."""
    d = one.disk
    if d.standby and not d.unsure:
        return await _follow(one)
    if await _becomes_primary(one):
        one.arm(one.claimed)
        d.standby = d.unsure = False
        return await primary.archive(one)
    return await _follow(one)


async def _becomes_primary(one: Instance) -> bool:
    """Ask the archive what this directory is; False: a standby, or read-only."""
    d, watched = one.disk, rivals(one.rules, one.clock)
    silent_s = one.clock() + _PATIENCE_S
    late_s = silent_s + RIVAL_LEASES * LEASE_S
    while True:
        await one.sleep(LEASE_S / 6)
        again_s = silent_s
        try:
            match await _rank(one):
                case StepDown(timeline=timeline):
                    _rebuild(one, timeline)
                    return False
                case StayPrimary():
                    if not one.rules.claim_before_start or await _claimed(one, watched):
                        return True
                    again_s = late_s
                case _:
                    pass
        except TimeoutError:
            pass
        if one.clock() >= again_s:
            d.standby = d.unsure = True
            return False


async def _rank(one: Instance) -> role.Rank:
    d = one.disk
    owner = await owners.owner(one.bucket)
    lines: dict[int, tuple[Switch, ...]] = await one.link.ask(lambda: dict(one.link.store.lines))
    own = ThisInstance(
        system_id=SYSTEM,
        instance=d.instance,
        timeline=d.timeline,
        left=d.left,
        owned=True,
        adoption=d.adoption,
        known_epoch=d.known_epoch if one.rules.epoch else 0,
    )
    above = [
        TimelineHistory.of(number, left) for number, left in lines.items() if number > d.timeline
    ]
    return role.decide_role(own, owner, above, empty=False)


async def _claimed(one: Instance, watched: OwnerWatch) -> bool:
    found = await takeover.before_start(one.bucket, one.claimant(), watched, unsafe=False)
    one.claimed = found if isinstance(found, Lease) else None
    return found is None or isinstance(found, Lease)


def _rebuild(one: Instance, timeline: int) -> None:
    one.rebuilt += 1
    one.disk = Disk(
        instance=f"i{one.number}.{one.rebuilt}",
        standby=True,
        timeline=timeline,
        left=one.link.store.lines[timeline],
        known_epoch=one.disk.known_epoch,
    )


async def _follow(one: Instance) -> None:
    watched = rivals(one.rules, one.clock)
    while True:
        await one.sleep(LEASE_S / 3)
        try:
            owner = await owners.owner(one.bucket)
            if owner is not None:
                one.disk.known_epoch = max(one.disk.known_epoch, owner.epoch)
            if not one.disk.unsure:
                continue
            match await _rank(one):
                case StayPrimary() if not await _claimed(one, watched):
                    continue
                case HeldByAnother() | Neither():
                    continue
        except TimeoutError:
            continue
        one.refused = "to be started as what it is"
        return
