"""Writes of the owner object whose outcome is not known, and what they grant."""

import itertools
from dataclasses import replace
from typing import Any

import pytest

from walsup.agent.archiving.inflight_pushes import until_landed
from walsup.archive.lease_terms import longest_push_s
from walsup.archive.owner_record import Owner
from walsup.archive.ownership.lease import Lease, LostError, Proven, Written, now_s, write
from walsup.archive.paths import OWNER_KEY
from walsup.archive.storage.bucket import ConflictError, Object

OWNER = Owner(
    system_id=7,
    instance="me",
    boot="b",
    epoch=4,
    timeline=1,
    lsn=1 << 24,
    state="running",
    compression="zstd",
    lease_s=10.0,
)
PROVEN = Proven(1, 1 << 24, 0)
REQUEST_LOST = "the request is held up by the network"
ANSWER_LOST = "it is written, and the answer is lost"


class Store:
    """One object; its tag is that of its bytes, as S3 has it. `faults` meet the writes in order."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.faults: list[str] = []
        self.writes: list[bytes] = []
        self.late: list[tuple[str, bytes]] = []

    @property
    def etag(self) -> str:
        """The same bytes have the same tag."""
        return f'"{hash(self.content):x}"'

    async def get(self, key: str) -> Object:
        """Read it."""
        assert key == OWNER_KEY
        return Object(content=self.content, etag=self.etag)

    async def create(self, key: str, content: bytes) -> str:
        """Never asked for here."""
        raise AssertionError(f"{key}: {content!r}")

    async def replace(self, key: str, content: bytes, etag: str) -> str:
        """Write over the version with that tag; a fault may lose the request or the answer."""
        assert key == OWNER_KEY
        self.writes.append(content)
        fault = self.faults.pop(0) if self.faults else ""
        if fault == REQUEST_LOST:
            self.late.append((etag, content))
            raise TimeoutError(fault)
        if etag != self.etag:
            raise ConflictError("changed")
        self.content = content
        if fault == ANSWER_LOST:
            raise TimeoutError(fault)
        return self.etag

    def arrive(self) -> None:
        """Let what was held up by the network arrive, if its condition still holds."""
        for etag, content in self.late:
            if etag == self.etag:
                self.content = content
        self.late.clear()


def _held() -> tuple[Store, Lease]:
    first = OWNER.signed()
    store = Store(first.to_json())
    return store, Lease(store, Written(first, store.etag, now_s()))


async def test_a_read_back_gives_the_tag_and_no_lease_so_it_is_written_again() -> None:
    """The lease begins with the write whose success was answered, not with the one read back."""
    store, _ = _held()
    store.faults = [ANSWER_LOST]
    began_s = now_s()
    written = await write(store, OWNER, store.etag)
    assert written is not None
    assert len(store.writes) == 2
    assert store.content == store.writes[1] == written.owner.to_json()
    assert written.etag == store.etag
    assert written.began_s > began_s


async def test_a_write_that_is_never_answered_grants_nothing() -> None:
    """Whatever the object says: it is not known when it was written."""
    store, _ = _held()
    store.faults = [ANSWER_LOST] * 9
    with pytest.raises(TimeoutError):
        await write(store, OWNER, store.etag)


async def test_every_write_has_a_nonce_of_its_own_also_the_one_that_is_repeated() -> None:
    """Equal bytes would have an equal tag: then nothing has changed for who looks."""
    store, lease = _held()
    store.faults = [ANSWER_LOST, REQUEST_LOST, ANSWER_LOST]
    for _ in range(3):
        try:
            await lease.renew(PROVEN)
        except TimeoutError:
            store.arrive()
    nonces = [Owner.from_json(content).nonce for content in store.writes]
    assert len(set(nonces)) == len(nonces) > 3
    assert all(one != other for one, other in itertools.pairwise(store.writes))


async def test_a_renewal_that_arrives_late_is_our_own() -> None:
    """It has changed the tag; the next renewal takes it up, and only that one extends the lease."""
    store, lease = _held()
    until_s = lease.until_s
    store.faults = [REQUEST_LOST]
    with pytest.raises(TimeoutError):
        await lease.renew(PROVEN)
    store.arrive()
    assert lease.until_s == until_s
    await lease.renew(PROVEN)
    assert lease.until_s > until_s
    assert store.content == lease.owner.to_json()


@pytest.mark.parametrize("fault", [REQUEST_LOST, ANSWER_LOST])
async def test_after_a_stopped_of_unknown_outcome_nothing_is_held(
    fault: str,
) -> None:
    """Another may have read it; a later renewal that is confirmed makes it held again."""
    store, lease = _held()
    assert lease.is_held
    store.faults = [fault, *[ANSWER_LOST] * 3]
    with pytest.raises(TimeoutError):
        await lease.release(PROVEN)
    assert not lease.is_held
    store.arrive()
    assert not lease.is_held
    store.faults.clear()
    await lease.renew(PROVEN)
    assert lease.is_held
    assert Owner.from_json(store.content).state == "running"


async def test_a_confirmed_stopped_stands() -> None:
    """No renewal writes over it."""
    store, lease = _held()
    await lease.release(PROVEN)
    await lease.renew(PROVEN)
    assert not lease.is_held
    assert Owner.from_json(store.content).state == "stopped"


async def test_another_start_in_the_object_is_told_with_its_owner() -> None:
    """It is the evidence on which a database with role auto ends."""
    store, lease = _held()
    store.content = Owner.from_json(OWNER.to_json()).signed().to_json().replace(b'"b"', b'"c"')
    with pytest.raises(LostError) as lost:
        await lease.renew(PROVEN)
    assert lost.value.owner is not None
    assert lost.value.owner.boot == "c"


async def test_an_adopted_archive_is_written_after_the_last_owners_pushes_may_have_landed() -> None:
    """And with a lease that is renewed, so that what is pushed then has its time."""
    store, lease = _held()
    until_s, slept = lease.until_s, []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        assert not store.writes

    await until_landed(lease, sleep=sleep)
    assert slept == [longest_push_s(OWNER.lease_s)]
    assert lease.until_s > until_s
    assert len(store.writes) == 1


def _claimed(began_s: float, owner: Owner = OWNER) -> Lease:
    return Lease(Store(b""), Written(owner, '"1"', began_s))


def test_a_lease_of_the_same_start_continues_one_that_had_not_ended() -> None:
    """An exchange of credentials claims again; nobody else can have written in between."""
    before = _claimed(100.0)
    assert _claimed(before.until_s - 0.1).continues(before)
    assert not _claimed(before.until_s).continues(before)


@pytest.mark.parametrize("change", [{"boot": "c"}, {"epoch": 5}, {"backups_from": 1 << 24}])
def test_no_other_claim_continues_a_lease(change: dict[str, Any]) -> None:
    """Of another start, after another owner, or with a demand for a new base backup."""
    assert not _claimed(101.0, replace(OWNER, **change)).continues(_claimed(100.0))


async def test_a_renewal_does_not_move_the_time_of_the_claim() -> None:
    """It lies after the end of the lease before, and says nothing of the time in between."""
    store, lease = _held()
    before = Lease(store, Written(lease.owner, store.etag, now_s() - 1.0))
    await lease.renew(PROVEN)
    assert lease.continues(before)
    late = _claimed(before.until_s + 1.0)
    assert not late.continues(before)


async def test_nothing_continues_a_lease_that_was_given_up() -> None:
    """Another may have claimed at once, and left again."""
    store, before = _held()
    again = Lease(store, Written(before.owner, store.etag, now_s()))
    assert again.continues(before)
    await before.leave()
    assert not _claimed(now_s(), before.owner).continues(before)
