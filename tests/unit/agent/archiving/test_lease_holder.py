"""Holding the archive: renewed in time, lost with its reason, and given back at once."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.agent.holding import LEASE_S, OWNER, Held
from walsup.agent.archiving import lease_holder
from walsup.agent.subject import Subject
from walsup.archive.engine.archive_command import LEASE
from walsup.archive.faults import Fault, FaultKind
from walsup.archive.lease_terms import HOLDER_LEASES
from walsup.archive.ownership.lease import Proven


@pytest.fixture
def held(pgdata: Path, tmp_path: Path) -> Held:
    """An agent at its beginning."""
    return Held.begin(pgdata, tmp_path)


async def _hold(held: Held) -> Fault | None:
    return await lease_holder.hold(held.context, held.lease, clock=held.clock)


def _file(held: Held) -> Path:
    """What archive_command reads."""
    return held.context.run_dir / LEASE


def _fault(held: Held) -> Fault | None:
    standing = held.context.board.snapshot.faults.get(Subject.LEASE)
    return standing.fault if standing else None


async def test_it_renews_until_the_gate_has_to_be_opened_again(held: Held) -> None:
    """Each renewal is written, and lets archive_command push until the lease ends."""

    def after(count: int) -> None:
        held.clock.now_s += LEASE_S
        if count == 3:
            held.context.signals.reopen.set()

    held.bucket.then = after
    assert await _hold(held) is None
    assert held.bucket.writes == 3
    assert held.lease.until_s == held.clock.now_s + (HOLDER_LEASES - 1) * LEASE_S
    assert _file(held).read_text().split()[1] == "00000001"


@pytest.mark.rule("one-owner")
async def test_a_lease_that_another_start_has_taken_is_lost(held: Held) -> None:
    """The fault names the other, and so does the session: its role may follow from that."""
    other = replace(OWNER, instance="another", boot="theirs", epoch=5)
    held.bucket.put(other.signed())
    fault = await _hold(held)
    assert fault is not None
    assert fault.kind is FaultKind.NOT_THE_OWNER
    assert "another" in fault.problem
    assert held.context.session.rival is not None
    assert held.context.session.rival.boot == "theirs"


@pytest.mark.rule("one-owner")
async def test_a_container_that_stood_still_holds_nothing(held: Held) -> None:
    """It writes nothing after its lease: another may have the archive by now."""
    held.clock.now_s = held.lease.until_s
    fault = await _hold(held)
    assert fault is not None
    assert fault.kind is FaultKind.TIMEOUT
    assert held.bucket.writes == 0


async def test_a_renewal_that_is_answered_too_late_opens_the_gate_again(held: Held) -> None:
    """PID 1 has ended the daemon by then; the archive is still its own."""

    def late(_count: int) -> None:
        held.clock.now_s = held.lease.until_s

    held.bucket.then = late
    assert await _hold(held) is None
    assert held.bucket.writes == 1


async def test_a_renewal_that_fails_is_a_fault_and_tried_until_the_lease_is_over(
    held: Held,
) -> None:
    """The end then names the failure, not the time that has passed."""
    seen: list[Fault | None] = []

    def fail(count: int) -> None:
        seen.append(_fault(held))
        if count == 3:
            held.clock.now_s = held.lease.until_s
        raise PermissionError("the bucket rejects it")

    held.bucket.then = fail
    fault = await _hold(held)
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
    assert await _hold(held) is None
    assert _fault(held) is None


async def test_what_the_stop_has_given_up_is_not_renewed(held: Held) -> None:
    """It is held no more, and its end is no reason for a new claim."""
    await held.lease.release(Proven(OWNER.timeline, OWNER.lsn, 0))
    held.clock.now_s = held.lease.until_s
    holding = asyncio.ensure_future(_hold(held))
    done, _ = await asyncio.wait([holding], timeout=5 * LEASE_S)
    holding.cancel()
    assert not done
    assert held.bucket.writes == 1


async def test_disabled_archiving_leaves_nothing_that_lets_a_push_through(held: Held) -> None:
    """archive_command's file is gone, and what is listed from now on may be another's."""
    lease_holder.grant(held.context, held.lease)
    assert _file(held).exists()
    held.context.board.fault(Subject.LEASE, Fault(FaultKind.TIMEOUT, "late"))
    lease_holder.withdraw(held.context)
    assert not _file(held).exists()
    assert held.context.session.lease is None
    assert held.context.signals.withdrawn.is_set()
    assert _fault(held) is None
    lease_holder.grant(held.context, held.lease)
    assert not held.context.signals.withdrawn.is_set()
