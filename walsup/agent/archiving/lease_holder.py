"""Holding the archive (S2): the lease renewed, told to PID 1 and archive_command, given up.

Nobody of those three needs the others awake: PID 1 ends the daemon when the lease is over, and
archive_command compares the machine's uptime with the file.
"""

import asyncio
import os
from pathlib import Path

from walsup import log
from walsup.agent.archiving.completeness import proven
from walsup.agent.context import AgentContext
from walsup.agent.subject import Subject
from walsup.archive.engine.archive_command import LEASE, lease_line
from walsup.archive.faults import Fault, FaultKind
from walsup.archive.ownership.lease import Lease, LostError, Proven, now_s
from walsup.archive.storage.fault_mapping import classify
from walsup.errors import WalsupError
from walsup.postgres.wal_files import timeline_history

_RETRIES_IN_A_LEASE = 5


async def hold(context: AgentContext, lease: Lease) -> Fault | None:
    """Renew until the archive is lost (why), or the gate must be opened anew (None)."""
    lease_s = lease.owner.lease_s
    pause_s = lease_s
    failed: Fault | None = None
    while True:
        try:
            async with asyncio.timeout(min(pause_s, max(0.0, lease.until_s - now_s()))):
                await context.signals.reopen.wait()
        except TimeoutError:
            pass
        else:
            return None
        if lease.owner.state != "running":
            await asyncio.Event().wait()  # given up by the stop: what is left is to be ended
        if now_s() >= lease.until_s:
            over = failed or Fault(
                FaultKind.TIMEOUT,
                "this container was paused until its lease expired (2.4 times WALSUP_LEASE)",
            )
            log.warning("lease.over", kind=over.kind, problem=over.problem)
            return over
        ends_s = lease.until_s
        try:
            failed = await _renew(context, lease)
        except LostError as lost:
            context.session.rival = lost.owner
            return lost.fault
        if failed is not None:
            context.board.fault(Subject.LEASE, failed)
        elif now_s() >= ends_s:
            return None  # too late for PID 1, which has ended the daemon meanwhile
        pause_s = lease_s / _RETRIES_IN_A_LEASE if failed else lease_s


async def _renew(context: AgentContext, lease: Lease) -> Fault | None:
    """Try once, for a lease at most; gives why it has failed.

    Raises:
        LostError: it is somebody else's.
    """
    if context.session.meter is None:
        raise RuntimeError("the gate is held open without a meter")
    lease_s = lease.owner.lease_s
    try:
        async with asyncio.timeout(lease_s):
            await renew(context, lease, proven(context, context.session.meter.mark))
    except LostError:
        raise
    except TimeoutError:
        return Fault(
            FaultKind.TIMEOUT, f"the owner object could not be renewed within {lease_s:g} s"
        )
    except Exception as raised:  # noqa: BLE001 (retried until the lease is over)
        return classify(raised)
    if lease.is_held:
        grant(context, lease)
    return None


async def renew(context: AgentContext, lease: Lease, proven: Proven) -> None:
    """Renew the lease, and with it the deadline at which PID 1 ends a primary.

    Raises:
        as `Lease.renew` does.
    """
    fencing = context.session.fencing
    if fencing is None:
        await lease.renew(proven)
        return
    await lease.renew(proven._replace(heirs=fencing.renews()))
    fencing.renewed(lease.began_s, lease.owner.heirs)


def grant(context: AgentContext, lease: Lease) -> None:
    """Let pushes through until the lease ends."""
    context.board.clear(Subject.LEASE)
    context.signals.withdrawn.clear()
    context.pid1.lease(lease.until_s)
    # A container may have an uptime of its own (lxcfs): what archive_command reads is read here.
    uptime_s = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    until = int(uptime_s + lease.until_s - now_s())
    line = lease_line(until, _timelines(context))
    # In place, at one width: also on a full run directory, and never half.
    path = context.run_dir / LEASE
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(descriptor, line.encode(), 0)
    except OSError as fault:
        raise OSError(fault.errno, fault.strerror, str(path)) from fault
    finally:
        os.close(descriptor)


def _timelines(context: AgentContext) -> frozenset[int]:
    """Give the timelines that may be archived: as they were, when they cannot be read any more."""
    try:
        context.session.timelines = timeline_history.own(context.settings.pgdata)
    except (WalsupError, OSError, ValueError) as fault:
        log.warning("history.unreadable", problem=str(fault))
    return context.session.timelines


def withdraw(context: AgentContext) -> None:
    """Shut: without the file every push fails at once, without a daemon those under way too."""
    # What is listed from now on may be another's.
    context.session.lease = None
    context.board.clear(Subject.LEASE)  # the gate's own fault says it now
    context.signals.withdrawn.set()
    (context.run_dir / LEASE).unlink(missing_ok=True)
    context.pid1.no_engine()
