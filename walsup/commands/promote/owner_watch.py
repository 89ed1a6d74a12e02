"""Watches the archive's owner until it has stopped or is dead."""

import asyncio
import os
from dataclasses import replace
from typing import NamedTuple

from walsup.archive.lease_terms import RIVAL_LEASES, STREAM_LEASES
from walsup.archive.ownership.admission import Rejected, Take, TryAgain
from walsup.archive.ownership.lease import now_s
from walsup.archive.ownership.takeover import Promotion, claimant
from walsup.archive.storage.bucket import open_bucket
from walsup.commands.promote.archive_question import asked
from walsup.commands.promote.plan import ASK_EVERY_S, Say
from walsup.datadir import markers
from walsup.errors import ArchiveError, DataDirectoryError
from walsup.postgres import standby_signal
from walsup.postgres.sql.connection import UNANSWERED, Sql
from walsup.settings import Settings

_SAID_EVERY_S = 10.0
_RECEIVED = """
select pg_catalog.pg_last_wal_receive_lsn(),
       (select pg_catalog.count(*) from pg_catalog.pg_stat_wal_receiver w
         where w.status operator(pg_catalog.=) 'streaming')
"""


class Received(NamedTuple):
    """Up to where WAL was received from the primary, and whether the receiver streams now."""

    lsn: int
    streams: bool


class Watch:
    """Watches the archive's owner until it has stopped or is dead.

    A holder that cannot reach the bucket may continue for as long as its standbys acknowledge WAL:
    it is dead when no WAL arrived for that long either, checked after the object.
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
        """Return when the object can be claimed; a second call continues from what was seen.

        Raises:
            ArchiveError: the owner is alive, or the archive cannot be read.
        """
        known, promotion = self._known, self.promotion
        sql = Sql(known.pgdata, known.database_role, known.pgpassword)
        try:
            while True:
                decided = await asked(known, promotion.look())
                is_free = decided is None or promotion.stopped
                # An owner that was started again without the bucket still says "stopped" there.
                if (is_free or self._may_be_taken(decided)) and self._no_wal_comes(
                    await _received(sql), is_free=is_free
                ):
                    return
                await asyncio.sleep(min(ASK_EVERY_S, known.lease_s / 4))
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
    """How long no WAL arrived from the primary, counted from the first check without any.

    `moves_s`: how long it was watched while some arrived.
    """

    def __init__(self) -> None:
        self._at = -1
        self._since_s = 0.0
        self._began_s = 0.0
        self.moves_s = 0.0

    def silent_s(self, received: int, seen_s: float) -> float:
        """Note a position that was read at `seen_s`; return the seconds of silence."""
        if self._at < 0:
            self._began_s = seen_s
        if received != self._at:
            self._at, self._since_s = received, seen_s
        self.moves_s = self._since_s - self._began_s
        return seen_s - self._since_s


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


async def _received(sql: Sql) -> Received:
    try:
        lsn, streams = await sql.row(_RECEIVED)
    except UNANSWERED as raised:
        raise DataDirectoryError(
            f"the standby cannot be asked: {raised}",
            hint="see postgres's lines in the log, and `walsup status`",
        ) from None
    return Received(int(lsn or 0), bool(streams))
