"""The agent of a primary: claim the archive, hold it, and give it up at a stop."""

from functools import partial

from tests.unit.ownership.instance import Instance
from tests.unit.ownership.rules import LEASE_S, rivals
from tests.unit.ownership.wal import SIZE, archived
from walsup.archive.owner_record import Owner
from walsup.archive.ownership.claim import claim
from walsup.archive.ownership.lease import Lease, LostError, Proven
from walsup.postgres.wal import Segment


async def archive(one: Instance) -> None:
    """Claim and hold the archive, until there is evidence of another holder."""
    one.writes = True
    watched = rivals(one.rules, one.clock)
    while True:
        try:
            found = await claim(one.bucket, one.claimant(), watched, one)
        except TimeoutError:
            await one.sleep(LEASE_S / 2)
            continue
        if isinstance(found, Lease):
            _holds(one, found)
            lost = await _hold(one, found)
            one.lease = None
            if lost is not None and one.rules.evidence_ends:
                break
            continue
        if found.living is not None and one.rules.evidence_ends:
            break
        await one.sleep(LEASE_S / 2)
    one.refused = "another holds the archive"


def _holds(one: Instance, lease: Lease) -> None:
    one.granted(one, lease)
    one.lease = lease
    one.disk.adoption = None
    one.disk.known_epoch = max(one.disk.known_epoch, lease.owner.epoch)
    one.fence.renewed(lease.began_s, frozenset(lease.owner.heirs))


async def _hold(one: Instance, lease: Lease) -> Owner | None:
    d, pause_s = one.disk, 0.0
    while True:
        await one.sleep(min(pause_s, max(0.0, lease.until_s - one.clock())))
        if one.clock() >= lease.until_s and one.rules.lease_ends:
            return None
        try:
            if d.timeline not in one.link.store.lines:
                await one.link.ask(partial(one.link.store.lines.setdefault, d.timeline, d.left))
            heirs = one.fence.renews(one.heard)
            await lease.renew(_proven(one, lease)._replace(heirs=heirs))
        except LostError as lost:
            return lost.owner
        except TimeoutError:
            pause_s = LEASE_S / 5
            continue
        one.fence.renewed(lease.began_s, frozenset(lease.owner.heirs))
        pause_s = LEASE_S


def _proven(one: Instance, lease: Lease) -> Proven:
    d = one.disk
    if one.comparison is None:
        return Proven(d.timeline, d.lsn // SIZE * SIZE, 0)
    names = [name for name, _ in archived(one.link.store, d.line, lease.owner.lsn)]
    if not names:
        return Proven(lease.owner.timeline, lease.owner.lsn, 0)
    last = Segment.parse(names[-1], SIZE)
    return Proven(last.timeline, last.end_lsn, 0)


async def stop(one: Instance) -> None:
    """Give the archive up when postgres has been shut down."""
    lease = one.lease
    while lease is not None:
        try:
            await lease.release(_proven(one, lease))
        except LostError:
            break
        except TimeoutError:
            if not one.rules.stopped_is_final:
                lease._may_be_given_up = False  # noqa: SLF001 (planted)
            await one.sleep(LEASE_S / 6)
        else:
            break
    one.refused = "stopped"
