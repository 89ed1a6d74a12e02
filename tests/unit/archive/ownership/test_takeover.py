"""Claims before an instance takes writes: of a start, and of a promotion."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.archive.ownership.test_admission import OWNER, SIZE, claimant
from tests.unit.standing_clock import StandingClock
from walsup.archive.faults import FaultKind
from walsup.archive.lease_terms import RIVAL_LEASES
from walsup.archive.owner_record import Owner
from walsup.archive.ownership import takeover
from walsup.archive.ownership.admission import Rejected, Take, TryAgain
from walsup.archive.ownership.claim import OwnerWatch
from walsup.archive.ownership.lease import Lease
from walsup.archive.ownership.takeover import Promotion
from walsup.archive.paths import OWNER_KEY
from walsup.archive.storage.directory_bucket import FileBucket
from walsup.postgres.wal import Switch
from walsup.settings import FileArchive

RUNNING = replace(OWNER, state="running")
SILENT_S = RIVAL_LEASES * OWNER.lease_s


@pytest.fixture
def clock() -> StandingClock:
    """The clock of all claims."""
    return StandingClock()


@pytest.fixture
async def bucket(tmp_path: Path) -> AsyncIterator[FileBucket]:
    """An empty archive."""
    made = FileBucket(FileArchive(directory=str(tmp_path)))
    yield made
    made.close()


async def _put(bucket: FileBucket, owner: Owner) -> None:
    """Write the owner object, whatever it was before."""
    content = owner.signed().to_json()
    try:
        await bucket.replace(OWNER_KEY, content, (await bucket.get(OWNER_KEY)).etag)
    except FileNotFoundError:
        await bucket.create(OWNER_KEY, content)


async def _owner(bucket: FileBucket) -> Owner:
    return Owner.from_json((await bucket.get(OWNER_KEY)).content)


# --- a start ------------------------------------------------------------------------------------


async def _before_start(bucket: FileBucket, clock: StandingClock, **who: object) -> object:
    return await takeover.before_start(bucket, claimant(**who), OwnerWatch(clock), unsafe=False)


async def test_a_start_claims_nothing_where_no_owner_was(
    bucket: FileBucket, clock: StandingClock
) -> None:
    """What lies there is found out later, when the disk can be compared with it."""
    assert await _before_start(bucket, clock) is None
    with pytest.raises(FileNotFoundError):
        await bucket.get(OWNER_KEY)


async def test_a_start_claims_nothing_of_an_archive_that_is_being_wiped(
    bucket: FileBucket, clock: StandingClock
) -> None:
    """The wipe keeps it; the database starts with archiving disabled."""
    wiped = replace(OWNER, state="wiping").signed()
    await _put(bucket, wiped)
    assert await _before_start(bucket, clock, instance="theirs") is None
    assert (await _owner(bucket)).state == "wiping"


async def test_a_start_claims_its_own_archive_before_it_takes_writes(
    bucket: FileBucket, clock: StandingClock
) -> None:
    """A second start finds this one in the object."""
    await _put(bucket, OWNER)
    claimed = await _before_start(bucket, clock, instance="theirs")
    assert isinstance(claimed, Lease)
    assert claimed.is_held
    assert (await _owner(bucket)).boot == "our boot"
    second = await _before_start(bucket, clock, instance="theirs", boot="a second", place="2")
    assert isinstance(second, TryAgain)
    assert (await _owner(bucket)).boot == "our boot"


# --- a promotion --------------------------------------------------------------------------------


async def test_a_promotion_claims_nothing_that_it_has_not_read(
    bucket: FileBucket, clock: StandingClock
) -> None:
    """`claim` without `look`, or of an archive without owner."""
    await _put(bucket, OWNER)
    promotion = Promotion(bucket, claimant(), clock)
    assert await promotion.claim(unsafe=False) is None
    assert (await _owner(bucket)).boot == OWNER.boot


async def test_an_archive_that_lost_its_owner_object_is_read_as_one_without(
    bucket: FileBucket, clock: StandingClock, tmp_path: Path
) -> None:
    """What was read before counts no more."""
    await _put(bucket, OWNER)
    promotion = Promotion(bucket, claimant(), clock)
    assert isinstance(await promotion.look(), Take)
    (tmp_path / OWNER_KEY).unlink()
    assert await promotion.look() is None
    assert not promotion.stopped
    assert promotion.version == ""
    assert await promotion.claim(unsafe=False) is None


async def test_a_stopped_owner_is_taken_over_at_once(
    bucket: FileBucket, clock: StandingClock
) -> None:
    """The lease begins with the write, by the clock that was given."""
    await _put(bucket, OWNER)
    promotion = Promotion(bucket, claimant(), clock)
    assert isinstance(await promotion.look(), Take)
    assert promotion.stopped
    claimed = await promotion.claim(unsafe=False)
    assert isinstance(claimed, Lease)
    assert claimed.began_s == clock.now_s
    written = await _owner(bucket)
    assert (written.instance, written.boot, written.epoch) == ("ours", "our boot", OWNER.epoch + 1)


@pytest.mark.rule("one-owner")
async def test_a_silent_owner_is_waited_for(bucket: FileBucket, clock: StandingClock) -> None:
    """Four leases without a new version, by the claimant's own clock."""
    await _put(bucket, RUNNING)
    promotion = Promotion(bucket, claimant(), clock)
    for silent_s, expected in ((0.0, TryAgain), (SILENT_S - 0.1, TryAgain), (SILENT_S, Take)):
        clock.now_s = 1000.0 + silent_s
        assert isinstance(await promotion.look(), expected), silent_s
    assert isinstance(await promotion.claim(unsafe=False), Lease)


@pytest.mark.rule("one-owner")
async def test_an_owner_that_renews_is_alive_and_named(
    bucket: FileBucket, clock: StandingClock
) -> None:
    """Each new version begins the wait again."""
    await _put(bucket, RUNNING)
    promotion = Promotion(bucket, claimant(), clock)
    first = await promotion.look()
    assert isinstance(first, TryAgain)
    assert first.living is None  # one version proves nothing
    before = promotion.version
    clock.now_s += SILENT_S
    await _put(bucket, RUNNING)
    again = await promotion.look()
    assert isinstance(again, TryAgain)
    assert again.living is not None
    assert again.living.boot == RUNNING.boot
    assert promotion.version != before


@pytest.mark.rule("one-owner")
async def test_a_promotion_writes_over_no_version_but_the_one_that_it_has_read(
    bucket: FileBucket, clock: StandingClock
) -> None:
    """The owner renews between the decision and the write: the claim is lost."""
    await _put(bucket, RUNNING)
    promotion = Promotion(bucket, claimant(), clock)
    await promotion.look()
    clock.now_s += SILENT_S
    assert isinstance(await promotion.look(), Take)
    await _put(bucket, replace(RUNNING, lsn=11 * SIZE))
    lost = await promotion.claim(unsafe=False)
    assert isinstance(lost, TryAgain)
    assert lost.fault.kind is FaultKind.OVERWRITE_CONFLICT
    assert (await _owner(bucket)).boot == RUNNING.boot


@pytest.mark.parametrize(
    ("archived", "left", "claimed", "expected"),
    [
        ((), (), 0, 2),
        ((5,), (), 0, 6),
        ((), (3,), 0, 4),
        ((), (), 7, 8),
        ((9, 4), (3,), 7, 10),
    ],
)
@pytest.mark.rule("new-timeline")
async def test_a_promotion_claims_a_timeline_that_none_has_used(  # noqa: PLR0913, PLR0917 (a table)
    bucket: FileBucket,
    clock: StandingClock,
    archived: tuple[int, ...],
    left: tuple[int, ...],
    claimed: int,
    expected: int,
) -> None:
    """After those in the archive, those of its own history, and one that another has claimed."""
    for number in archived:
        await bucket.create(f"wal_005/{number:08X}.history.zst", b"")
    await _put(bucket, replace(OWNER, next_timeline=claimed))
    switches = tuple(Switch(timeline=n, switch_lsn=SIZE, reason="") for n in left)
    promotion = Promotion(bucket, claimant(left=switches), clock)
    await promotion.look()
    lease = await promotion.claim(unsafe=False)
    assert isinstance(lease, Lease)
    assert lease.owner.next_timeline == expected


async def test_its_own_earlier_claim_reserves_no_number(
    bucket: FileBucket, clock: StandingClock
) -> None:
    """A promotion that is repeated takes the same timeline."""
    await _put(bucket, replace(OWNER, instance="ours", next_timeline=7))
    promotion = Promotion(bucket, claimant(), clock)
    await promotion.look()
    lease = await promotion.claim(unsafe=False)
    assert isinstance(lease, Lease)
    assert lease.owner.next_timeline == 2


async def test_another_clusters_archive_is_never_taken(
    bucket: FileBucket, clock: StandingClock
) -> None:
    """However long it is silent."""
    await _put(bucket, replace(OWNER, system_id=OWNER.system_id + 1))
    promotion = Promotion(bucket, claimant(), clock)
    assert isinstance(await promotion.look(), Rejected)
    clock.now_s += 100 * SILENT_S
    assert isinstance(await promotion.look(), Rejected)
    assert isinstance(await promotion.claim(unsafe=False), Rejected)
    assert (await _owner(bucket)).boot == OWNER.boot
