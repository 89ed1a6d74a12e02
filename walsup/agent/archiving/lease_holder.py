"""Renews the lease on the archive, passes its end to PID 1 and archive_command, and gives it up.

None of the three depends on the others: PID 1 ends the daemon when the lease expires, and
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
from walsup.archive.ownership.lease import Clock, Lease, LostError, Proven, now_s
from walsup.archive.storage.fault_mapping import classify
from walsup.errors import WalsupError
from walsup.postgres.wal_files import timeline_history

_RETRIES_IN_A_LEASE = 5


async def hold(context: AgentContext, lease: Lease, *, clock: Clock = now_s) -> Fault | None:
    """Renew until the archive is lost (return why) or has to be claimed again (return None)."""
    lease_s = lease.owner.lease_s
    pause_s = lease_s
    failed: Fault | None = None
    while True:
        try:
            async with asyncio.timeout(min(pause_s, max(0.0, lease.until_s - clock()))):
                await context.signals.reopen.wait()
        except TimeoutError:
            pass
        else:
            return None
        if lease.owner.state != "running":
            await asyncio.Event().wait()  # the stop has released it: only cancellation is left
        if clock() >= lease.until_s:
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
        elif clock() >= ends_s:
            return None  # too late: PID 1 has ended the daemon meanwhile
        pause_s = lease_s / _RETRIES_IN_A_LEASE if failed else lease_s


async def _renew(context: AgentContext, lease: Lease) -> Fault | None:
    """Try once, for a lease at most; return why it has failed.

    Raises:
        LostError: another instance owns the archive.
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
    write_deadline = context.session.write_deadline
    if write_deadline is None:
        await lease.renew(proven)
        return
    await lease.renew(proven._replace(heirs=write_deadline.renews()))
    write_deadline.renewed(lease.began_s, lease.owner.heirs)


def grant(context: AgentContext, lease: Lease) -> None:
    """Allow pushes until the lease ends."""
    context.board.clear(Subject.LEASE)
    context.signals.withdrawn.clear()
    context.pid1.lease(lease.until_s)
    # A container may have a separate uptime (lxcfs): read what archive_command will read.
    uptime_s = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    until = int(uptime_s + lease.until_s - now_s())
    line = lease_line(until, _timelines(context))
    # In place and of constant width: works on a full disk, and is never half written.
    path = context.run_dir / LEASE
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(descriptor, line.encode(), 0)
    except OSError as fault:
        raise OSError(fault.errno, fault.strerror, str(path)) from fault
    finally:
        os.close(descriptor)


def _timelines(context: AgentContext) -> frozenset[int]:
    """Return the timelines that may be archived: the last ones known, when unreadable now."""
    try:
        context.session.timelines = timeline_history.own(context.settings.pgdata)
    except (WalsupError, OSError, ValueError) as fault:
        log.warning("history.unreadable", problem=str(fault))
    return context.session.timelines


def withdraw(context: AgentContext) -> None:
    """Disable archiving: without the file new pushes fail, without the daemon running ones too."""
    # What is listed from now on may be another instance's.
    context.session.lease = None
    context.board.clear(Subject.LEASE)  # the fault of the gate shows it now
    context.signals.withdrawn.set()
    (context.run_dir / LEASE).unlink(missing_ok=True)
    context.pid1.no_engine()
