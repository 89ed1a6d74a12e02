"""`walsup promote`: a person makes this standby the primary, and loses nothing by it.

Rule standby-survives.

It is proven first that replay has reached the archive's end and that the owner is not alive. Then
the archive is claimed for this instance, with the number of the new timeline, and only then is
postgres promoted: an old primary that is started meanwhile finds another owner.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from walsup.archive.lease_terms import RIVAL_LEASES, STREAM_LEASES
from walsup.archive.ownership import fence
from walsup.archive.ownership.admission import Rejected, Take, TryAgain
from walsup.archive.ownership.lease import Lease, LostError, Proven, now_s
from walsup.archive.ownership.takeover import Promotion, claimant
from walsup.archive.storage.bucket import open_bucket
from walsup.archive.storage.fault_mapping import classify, note
from walsup.datadir import markers
from walsup.errors import ArchiveError, DataDirectoryError
from walsup.postgres import standby_signal
from walsup.postgres.sql.connection import UNANSWERED, Sql
from walsup.settings import Settings

_ASK_EVERY_S = 0.5
_PROMOTED_WITHIN_S = 300.0
_SAID_EVERY_S = 10.0
_FORCE = (
    "; or promote it anyway, and lose the WAL that is not on this standby: walsup promote --force"
)
_RECEIVED = """
select pg_catalog.pg_last_wal_receive_lsn(),
       (select pg_catalog.count(*) from pg_catalog.pg_stat_wal_receiver w
         where w.status operator(pg_catalog.=) 'streaming')
"""

Say = Callable[[str], None]
T = TypeVar("T")


class UnreadableError(ArchiveError):
    """The archive cannot be read now."""


def check(known: Settings) -> None:
    """Refuse what is no standby.

    Raises:
        DataDirectoryError: it is a primary, or does not know what it is.
    """
    if not standby_signal.is_standby(known.pgdata):
        raise DataDirectoryError(
            f"{known.pgdata} is not a standby: there is nothing to promote",
            hint="run it in the standby's container, with its environment",
        )
    if markers.is_unsure(known.pgdata):
        raise DataDirectoryError(
            f"{known.pgdata} was a primary, and is read-only until the archive confirms its role",
            hint="see the fault `role` in `walsup status`; to make this instance the primary, run"
            " `walsup adopt` instead",
        )


class Plan(NamedTuple):
    """What a person wants.

    `boot`: the start of the container that is promoted, and `run_dir` its run directory; None when
    they are not known. `ask` gives `/status`, `say` shows a line.
    """

    force: bool
    wait_s: float
    boot: str | None
    run_dir: Path | None
    ask: Callable[[], dict[str, Any]]
    say: Say


async def run(known: Settings, plan: Plan) -> int:
    """Prove, claim, promote; gives the new timeline.

    Raises:
        WalsupError: it is still a standby, or may be, with why.
    """
    if known.archive is None:
        plan.say("no archive: the promotion includes the WAL received so far")
        return await promote(known, None, plan)
    if plan.boot is None or plan.run_dir is None:
        raise DataDirectoryError(
            f"the run directory of {known.pgdata} cannot be read, or has no record of its start",
            hint="run it in the standby's container while it runs, with its environment",
        )
    watch = Watch(known, plan.boot, plan.say)
    try:
        await watch.until_silent()
    except UnreadableError as unreadable:
        if not plan.force:
            raise
        plan.say(f"not claimed: {unreadable.problem}")
        return await promote(known, None, plan)
    version = None
    while not plan.force and version != watch.promotion.version:
        version = watch.promotion.version
        seen = await asyncio.to_thread(_at_end, plan.ask, plan.wait_s)
        plan.say(f"everything in the archive ({seen['archived_lsn']}) is replayed")
        await watch.until_silent()
    return await promote(known, watch.promotion, plan)


class Received(NamedTuple):
    """Up to where WAL has come from the primary, and whether the receiver streams now."""

    lsn: int
    streams: bool


class Watch:
    """The archive's owner, watched until it has stopped or is dead.

    A holder that cannot reach the bucket may go on for as long as its standbys acknowledge WAL: it
    is dead when no WAL has come for so long either, looked at after the object.
    """

    def __init__(self, known: Settings, boot: str, say: Say) -> None:
        self._known = known
        self._say = say
        self._stream = StreamSilence()
        self._said_s = now_s() - _SAID_EVERY_S
        self.promotion = Promotion(
            open_bucket(known), replace(claimant(known, boot), standby_name=_name(known))
        )

    async def until_silent(self) -> None:
        """Return when the object can be claimed; asked again, it goes on from what it has seen.

        Raises:
            ArchiveError: the owner is alive, or the archive cannot be read.
        """
        known, promotion = self._known, self.promotion
        sql = Sql(known.pgdata, known.database_role, known.pgpassword)
        try:
            while True:
                decided = await _asked(known, promotion.look())
                is_free = decided is None or promotion.stopped
                # One that was started again without the bucket is still "stopped" there.
                if (is_free or self._may_be_taken(decided)) and self._no_wal_comes(
                    await _received(sql), is_free=is_free
                ):
                    return
                await asyncio.sleep(min(_ASK_EVERY_S, known.lease_s / 4))
        finally:
            sql.drop()

    def _may_be_taken(self, decided: Take | TryAgain | Rejected | None) -> bool:
        match decided:
            case Rejected(fault=fault):
                raise ArchiveError(fault.problem, hint=fault.cure)
            case TryAgain(living=owner) if owner is not None:
                raise _alive(f"instance {owner.instance} has just renewed its lease")
            case TryAgain(fault=fault):
                if now_s() - self._said_s >= _SAID_EVERY_S:
                    self._said_s = now_s()
                    self._say(f"waiting: {fault.problem}")
                return False
            case Take() | None:
                return True

    def _no_wal_comes(self, received: Received, *, is_free: bool) -> bool:
        if is_free and not received.streams:
            return True
        patience_s = STREAM_LEASES * self._known.lease_s
        if self._stream.silent_s(received.lsn, now_s()) >= patience_s:
            return True
        if self._stream.moves_s > RIVAL_LEASES * self._known.lease_s:
            raise _alive("it sends WAL to this standby, although it does not renew its lease")
        return False


class StreamSilence:
    """For how long no WAL has come from the primary, counted from the first look that shows none.

    `moves_s`: for how long it has been watched while some came.
    """

    def __init__(self) -> None:
        self._at = -1
        self._since_s = 0.0
        self._began_s = 0.0
        self.moves_s = 0.0

    def silent_s(self, received: int, seen_s: float) -> float:
        """Take note of a position that was read at `seen_s`; gives the seconds of silence."""
        if self._at < 0:
            self._began_s = seen_s
        if received != self._at:
            self._at, self._since_s = received, seen_s
        self.moves_s = self._since_s - self._began_s
        return seen_s - self._since_s


async def promote(known: Settings, promotion: Promotion | None, plan: Plan) -> int:
    """Claim the archive, have postgres promoted, and give the new timeline.

    `promotion` None: nothing is claimed, because a person has said so and the archive cannot be
    read.

    Raises:
        ArchiveError: the archive cannot be claimed; DataDirectoryError: postgres does not do it.
    """
    lease = await _claimed(known, promotion) if promotion is not None else None
    if lease is not None:
        owner = lease.owner
        plan.say(f"the archive is claimed for timeline {owner.next_timeline} (epoch {owner.epoch})")
        _arm(known, plan, lease)
    markers.remember_promotion(known.pgdata, lease.owner.next_timeline if lease else 0)
    keeping = asyncio.create_task(_keep(known, plan, lease)) if lease else None
    try:
        return await _promote(known, lease, plan.say)
    finally:
        if keeping is not None:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
        markers.forget_promotion(known.pgdata)


async def _claimed(known: Settings, promotion: Promotion) -> Lease | None:
    claimed = await _asked(known, promotion.claim(unsafe=known.unsafe_owner))
    if isinstance(claimed, (TryAgain, Rejected)):
        raise ArchiveError(
            f"the archive cannot be claimed: {claimed.fault.problem}",
            hint="check its owner (`walsup restore --list`), and run this again; this instance is"
            " still a standby",
        )
    return claimed


def _arm(known: Settings, plan: Plan, lease: Lease) -> None:
    """Give PID 1 the deadline before postgres takes writes, where silence alone ends a primary."""
    if known.fence == "on" and plan.run_dir is not None:
        fence.put(plan.run_dir, lease.until_s, known.lease_s)


async def _keep(known: Settings, plan: Plan, lease: Lease) -> None:
    """Renew the lease until the agent, which is of the same start, holds it."""
    owner = lease.owner
    while lease.is_held:
        await asyncio.sleep(owner.lease_s / 2)
        try:
            await lease.renew(Proven(owner.timeline, owner.lsn, owner.backups_from))
            _arm(known, plan, lease)
        except LostError:
            return
        except Exception as raised:  # noqa: BLE001 (tried again until the lease is over)
            note(raised)


def _alive(what: str) -> ArchiveError:
    return ArchiveError(
        f"the archive's owner is alive: {what}",
        hint="stop the primary first: otherwise both would accept writes",
    )


def _name(known: Settings) -> str:
    """Return the name with which this standby streams, as its primary sees it."""
    given = dict(known.primary_conninfo.parameters) if known.primary_conninfo else {}
    own = standby_signal.slot_name(os.environ.get("HOSTNAME", ""), markers.instance(known.pgdata))
    return given.get("application_name") or own


async def _asked(known: Settings, question: Awaitable[T]) -> T:
    try:
        return await question
    except Exception as raised:  # noqa: BLE001 (it is reported, whatever it is)
        fault = classify(raised)
        raise UnreadableError(
            f"{known.archive} cannot be read ({fault.kind}): {fault.problem}",
            hint=fault.cure + _FORCE,
        ) from None


async def _received(sql: Sql) -> Received:
    try:
        lsn, streams = await sql.row(_RECEIVED)
    except UNANSWERED as raised:
        raise DataDirectoryError(
            f"the standby cannot be asked: {raised}",
            hint="see postgres's lines in the log, and `walsup status`",
        ) from None
    return Received(int(lsn or 0), bool(streams))


def _at_end(ask: Callable[[], dict[str, Any]], patience_s: float) -> dict[str, Any]:
    """Wait until the agent has examined the archive again, and replay is at its end."""
    began_at, deadline_s = time.time(), time.monotonic() + patience_s
    seen: dict[str, Any] = {}
    while True:
        try:
            found = ask()
        except (OSError, ValueError) as silent:  # the agent is started again when it dies
            found = {"faults": {"agent": {"problem": str(silent)}}}
        seen = found.get("standby", {})
        if seen.get("looked_at", 0) > began_at and seen["at_end"]:
            return seen
        if time.monotonic() > deadline_s:
            faults = found.get("faults", {})
            why = "; ".join(f"{name}: {fault['problem']}" for name, fault in faults.items())
            raise ArchiveError(
                "replay has not reached the end of the archive: it is at"
                f" {seen.get('replay_lsn', '?')} of {seen.get('archived_lsn', '?')}"
                + (f" ({why})" if why else ""),
                hint="see `walsup status`; wait longer with --wait" + _FORCE,
            )
        time.sleep(_ASK_EVERY_S)


async def _promote(known: Settings, lease: Lease | None, say: Say) -> int:
    sql = Sql(known.pgdata, known.database_role, known.pgpassword)
    deadline_s = time.monotonic() + _PROMOTED_WITHIN_S
    try:
        await sql.row("select 1")
        if lease is not None and not lease.is_held:
            raise ArchiveError(
                "the claim of the archive expired before postgres was promoted",
                hint="run this again; this instance is still a standby",
            )
        await sql.row("select pg_catalog.pg_promote(false)")
        say("promotion requested")
        while time.monotonic() < deadline_s:
            recovers, name = await sql.row(
                "select r, case when r then '' else"
                " pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()) end"
                " from pg_catalog.pg_is_in_recovery() r"
            )
            if not recovers:
                return int(name[:8], 16)
            await asyncio.sleep(_ASK_EVERY_S)
    except UNANSWERED as raised:
        raise DataDirectoryError(
            f"postgres does not promote: {raised}",
            hint="see postgres's lines in the log, and `walsup status`",
        ) from None
    finally:
        sql.drop()
    raise DataDirectoryError(
        f"postgres did not end its recovery within {_PROMOTED_WITHIN_S:.0f} s",
        hint="it may still end: see postgres's lines in the log, and `walsup status`",
    )
