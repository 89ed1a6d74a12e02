"""Holding the archive: renewed in time, lost with its reason, and given back at once."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.standing_clock import StandingClock
from walsup.agent.archiving import lease_holder
from walsup.agent.context import AgentContext
from walsup.agent.lag_meter import Meter
from walsup.agent.subject import Subject
from walsup.archive.engine.archive_command import LEASE
from walsup.archive.faults import Fault, FaultKind
from walsup.archive.lease_terms import HOLDER_LEASES
from walsup.archive.owner_record import Owner
from walsup.archive.ownership.lease import Lease, Proven, Written
from walsup.archive.paths import OWNER_KEY
from walsup.archive.storage.bucket import ConflictError, Object
from walsup.postgres.wal import Segment

LEASE_S = 0.02  # real time passes between renewals
OWNER = Owner(
    system_id=7,
    instance="me",
    boot="b",
    epoch=4,
    timeline=1,
    lsn=1 << 24,
    state="running",
    compression="zstd",
    lease_s=LEASE_S,
)


class Memory:
    """The owner object in memory; `then` is called before each write of the holder."""

    def __init__(self) -> None:
        self.content = b""
        self.writes = 0
        self.then: Callable[[int], None] = lambda _count: None

    async def get(self, key: str) -> Object:
        """Read it."""
        assert key == OWNER_KEY
        return Object(content=self.content, etag=f'"{hash(self.content):x}"')

    async def create(self, key: str, content: bytes) -> str:
        """Never asked for here."""
        raise AssertionError(f"{key}: {content!r}")

    async def replace(self, key: str, content: bytes, etag: str) -> str:
        """Write over the version with that tag."""
        self.writes += 1
        self.then(self.writes)
        if etag != (await self.get(key)).etag:
            raise ConflictError(key)
        return await self.put(content)

    async def put(self, content: bytes) -> str:
        """Write it as another program does; gives its tag."""
        self.content = content
        return (await self.get(OWNER_KEY)).etag


class Held:
    """An agent that holds its archive; its clock stands still."""

    def __init__(self, context: AgentContext, bucket: Memory, owner: Owner, etag: str) -> None:
        self.context, self.bucket, self.clock = context, bucket, StandingClock()
        self.lease = Lease(bucket, Written(owner, etag, self.clock.now_s), self.clock)
        context.session.lease = self.lease
        context.session.meter = Meter(Segment(timeline=1, number=1, size=1 << 24))

    async def hold(self) -> Fault | None:
        """Hold it until something happens."""
        return await lease_holder.hold(self.context, self.lease, clock=self.clock)

    @property
    def file(self) -> Path:
        """What archive_command reads."""
        return self.context.run_dir / LEASE

    @property
    def fault(self) -> Fault | None:
        """The fault of the lease on the board."""
        standing = self.context.board.snapshot.faults.get(Subject.LEASE)
        return standing.fault if standing else None


@pytest.fixture
async def held(pgdata: Path, tmp_path: Path) -> Held:
    """An agent at its beginning."""
    environment = {"PGDATA": str(pgdata), "WALSUP_ARCHIVE": "file:///nowhere"}
    content = {"boot": OWNER.boot, "pgdata": str(pgdata), "environment": environment}
    (tmp_path / "agent.json").write_text(json.dumps(content))
    memory, first = Memory(), OWNER.signed()
    return Held(AgentContext(tmp_path, None), memory, first, await memory.put(first.to_json()))


async def test_it_renews_until_the_gate_has_to_be_opened_again(held: Held) -> None:
    """Each renewal is written, and lets archive_command push until the lease ends."""

    def after(count: int) -> None:
        held.clock.now_s += LEASE_S
        if count == 3:
            held.context.signals.reopen.set()

    held.bucket.then = after
    assert await held.hold() is None
    assert held.bucket.writes == 3
    assert held.lease.until_s == held.clock.now_s + (HOLDER_LEASES - 1) * LEASE_S
    assert held.file.read_text().split()[1] == "00000001"


@pytest.mark.rule("one-owner")
async def test_a_lease_that_another_start_has_taken_is_lost(held: Held) -> None:
    """The fault names the other, and so does the session: its role may follow from that."""
    other = replace(OWNER, instance="another", boot="theirs", epoch=5)
    await held.bucket.put(other.signed().to_json())
    fault = await held.hold()
    assert fault is not None
    assert fault.kind is FaultKind.NOT_THE_OWNER
    assert "another" in fault.problem
    assert held.context.session.rival is not None
    assert held.context.session.rival.boot == "theirs"


@pytest.mark.rule("one-owner")
async def test_a_container_that_stood_still_holds_nothing(held: Held) -> None:
    """It writes nothing after its lease: another may have the archive by now."""
    held.clock.now_s = held.lease.until_s
    fault = await held.hold()
    assert fault is not None
    assert fault.kind is FaultKind.TIMEOUT
    assert held.bucket.writes == 0


async def test_a_renewal_that_is_answered_too_late_opens_the_gate_again(held: Held) -> None:
    """PID 1 has ended the daemon by then; the archive is still its own."""

    def late(_count: int) -> None:
        held.clock.now_s = held.lease.until_s

    held.bucket.then = late
    assert await held.hold() is None
    assert held.bucket.writes == 1


async def test_a_renewal_that_fails_is_a_fault_and_tried_until_the_lease_is_over(
    held: Held,
) -> None:
    """The end then names the failure, not the time that has passed."""
    seen: list[Fault | None] = []

    def fail(count: int) -> None:
        seen.append(held.fault)
        if count == 3:
            held.clock.now_s = held.lease.until_s
        raise PermissionError("the bucket rejects it")

    held.bucket.then = fail
    fault = await held.hold()
    assert fault is not None
    assert "rejects it" in fault.problem
    assert seen[0] is None
    assert seen[-1] == fault


async def test_a_renewal_that_succeeds_clears_the_fault(held: Held) -> None:
    """It was one write that failed."""

    def once(count: int) -> None:
        if count == 1:
            raise PermissionError("the bucket rejects it")
        if count == 3:
            held.context.signals.reopen.set()

    held.bucket.then = once
    assert await held.hold() is None
    assert held.fault is None


async def test_what_the_stop_has_given_up_is_not_renewed(held: Held) -> None:
    """It is held no more, and its end is no reason for a new claim."""
    await held.lease.release(Proven(OWNER.timeline, OWNER.lsn, 0))
    held.clock.now_s = held.lease.until_s
    holding = asyncio.ensure_future(held.hold())
    done, _ = await asyncio.wait([holding], timeout=5 * LEASE_S)
    holding.cancel()
    assert not done
    assert held.bucket.writes == 1


async def test_disabled_archiving_leaves_nothing_that_lets_a_push_through(held: Held) -> None:
    """archive_command's file is gone, and what is listed from now on may be another's."""
    lease_holder.grant(held.context, held.lease)
    assert held.file.exists()
    held.context.board.fault(Subject.LEASE, Fault(FaultKind.TIMEOUT, "late"))
    lease_holder.withdraw(held.context)
    assert not held.file.exists()
    assert held.context.session.lease is None
    assert held.context.signals.withdrawn.is_set()
    assert held.fault is None
    lease_holder.grant(held.context, held.lease)
    assert not held.context.signals.withdrawn.is_set()
