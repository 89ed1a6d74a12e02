"""`walsup promote` in a standby of the model, and the end of its recovery."""

from collections.abc import Callable

from tests.unit.ownership import primary
from tests.unit.ownership.instance import Instance
from tests.unit.ownership.rules import LEASE_S, rivals
from walsup.archive.lease_terms import STREAM_LEASES
from walsup.archive.ownership import takeover
from walsup.archive.ownership.admission import Rejected, Take, TryAgain
from walsup.archive.ownership.lease import Lease
from walsup.commands.promote.owner_watch import StreamSilence
from walsup.postgres.wal import Switch


async def promote(one: Instance, *, sure: Callable[[], bool]) -> None:
    """Run `walsup promote`; `sure`: a person has seen that no other takes writes."""
    promotion = takeover.Promotion(one.bucket, one.claimant(), one.clock)
    promotion._watch = rivals(one.rules, one.clock)  # noqa: SLF001 (a planted one)
    stream = StreamSilence()
    while True:
        received = one.disk.lsn
        found = await promotion.look()
        if isinstance(found, Rejected) or (isinstance(found, TryAgain) and found.living):
            return
        if one.rules.object_before_wal:
            received = one.disk.lsn
        silent_s = stream.silent_s(received, one.clock())
        quiet = silent_s >= STREAM_LEASES * LEASE_S or not one.rules.no_wal_comes
        if found is None or promotion.stopped:
            break
        if isinstance(found, Take) and quiet:
            if not _lists_heirs(promotion) and not sure():
                return
            break
        await one.sleep(LEASE_S / 6)
    await _replay(one)
    await _promote(one, promotion)


async def _replay(one: Instance) -> None:
    if one.comparison is not None:
        await one.link.ask(lambda: one.disk.replay(one.link.store))


def _lists_heirs(promotion: takeover.Promotion) -> bool:
    read = promotion._read  # noqa: SLF001 (what the person has seen)
    return read is not None and bool(read[0].heirs)


async def _promote(one: Instance, promotion: takeover.Promotion) -> None:
    if not one.rules.claim_before_promotion:
        begin(one, one.disk.timeline + 1, None)
        return
    claimed = await promotion.claim(unsafe=False)
    if not isinstance(claimed, Lease):
        return
    await _replay(one)
    await one.sleep(LEASE_S / 6)
    if claimed.is_held or not one.rules.claim_is_held:
        free = claimed.owner.next_timeline
        begin(one, free if one.rules.free_timeline else one.disk.timeline + 1, claimed)


def begin(one: Instance, timeline: int, lease: Lease | None) -> None:
    """Let postgres end its recovery here; the deadline is there before it takes writes."""
    d = one.disk
    one.arm(lease)
    one.writes = True
    d.left = (*d.left, Switch(timeline=d.timeline, switch_lsn=d.lsn, reason=""))
    d.timeline, d.standby = timeline, False
    one.begun(timeline, one.number)
    if one.agent is not None:
        one.agent.close()
    one.event.pop("agent", None)
    one.agent = primary.archive(one)
