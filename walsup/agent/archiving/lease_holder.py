"""Holding the archive (S2): the lease renewed, told to PID 1 and archive_command, given up.

Nobody of those three needs the others awake: PID 1 ends the daemon when the lease is over, and
archive_command compares the machine's uptime with the file.
"""

import asyncio
import os
from pathlib import Path

from walsup import log
from walsup.agent.archiving.completeness import proven
from walsup.agent.context import World
from walsup.agent.subject import Subject
from walsup.archive.engine.archive_command import LEASE, lease_line
from walsup.archive.faults import Fault, FaultKind
from walsup.archive.ownership.lease import Lease, LostError, Proven, now_s
from walsup.archive.storage.fault_mapping import classify
from walsup.errors import WalsupError
from walsup.postgres.wal_files import timeline_history

_RETRIES_IN_A_LEASE = 5


async def hold(world: World, lease: Lease) -> Fault | None:
    """Renew until the archive is lost (why), or the gate must be opened anew (None)."""
    lease_s = lease.owner.lease_s
    pause_s = lease_s
    failed: Fault | None = None
    while True:
        try:
            async with asyncio.timeout(min(pause_s, max(0.0, lease.until_s - now_s()))):
                await world.reopen.wait()
        except TimeoutError:
            pass
        else:
            return None
        if lease.owner.state != "running":
            await asyncio.Event().wait()  # given up by the stop: what is left is to be ended
        if now_s() >= lease.until_s:
            over = failed or Fault(FaultKind.TIMEOUT, "this container stood still for 2.4 leases")
            log.warning("lease.over", kind=over.kind, problem=over.problem)
            return over
        ends_s = lease.until_s
        try:
            failed = await _renew(world, lease)
        except LostError as lost:
            world.rival = lost.owner
            return lost.fault
        if failed is not None:
            world.board.fault(Subject.LEASE, failed)
        elif now_s() >= ends_s:
            return None  # too late for PID 1, which has ended the daemon meanwhile
        pause_s = lease_s / _RETRIES_IN_A_LEASE if failed else lease_s


async def _renew(world: World, lease: Lease) -> Fault | None:
    """Try once, for a lease at most; gives why it has failed.

    Raises:
        LostError: it is somebody else's.
    """
    if world.meter is None:
        raise RuntimeError("the gate is held open without a meter")
    lease_s = lease.owner.lease_s
    try:
        async with asyncio.timeout(lease_s):
            await renew(world, lease, proven(world, world.meter.mark))
    except LostError:
        raise
    except TimeoutError:
        return Fault(
            FaultKind.TIMEOUT, f"the owner object could not be renewed within {lease_s:g} s"
        )
    except Exception as raised:  # noqa: BLE001 (retried until the lease is over)
        return classify(raised)
    if lease.is_held:
        grant(world, lease)
    return None


async def renew(world: World, lease: Lease, proven: Proven) -> None:
    """Renew the lease, and with it the deadline at which PID 1 ends a primary.

    Raises:
        as `Lease.renew` does.
    """
    fencing = world.fencing
    if fencing is None:
        await lease.renew(proven)
        return
    await lease.renew(proven._replace(heirs=fencing.renews()))
    fencing.renewed(lease.began_s, lease.owner.heirs)


def grant(world: World, lease: Lease) -> None:
    """Let pushes through until the lease ends."""
    world.board.clear(Subject.LEASE)
    world.withdrawn.clear()
    world.pid1.lease(lease.until_s)
    # A container may have an uptime of its own (lxcfs): what archive_command reads is read here.
    uptime_s = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    until = int(uptime_s + lease.until_s - now_s())
    line = lease_line(until, _timelines(world))
    # In place, at one width: also on a full run directory, and never half.
    path = world.run_dir / LEASE
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(descriptor, line.encode(), 0)
    except OSError as fault:
        raise OSError(fault.errno, fault.strerror, str(path)) from fault
    finally:
        os.close(descriptor)


def _timelines(world: World) -> frozenset[int]:
    """Give the timelines that may be archived: as they were, when they cannot be read any more."""
    try:
        world.timelines = timeline_history.own(world.settings.pgdata)
    except (WalsupError, OSError, ValueError) as fault:
        log.warning("history.unreadable", problem=str(fault))
    return world.timelines


def withdraw(world: World) -> None:
    """Shut: without the file every push fails at once, without a daemon those under way too."""
    # What is listed from now on may be another's.
    world.lease = None
    world.board.clear(Subject.LEASE)  # the gate's own fault says it now
    world.withdrawn.set()
    (world.run_dir / LEASE).unlink(missing_ok=True)
    world.pid1.no_engine()
