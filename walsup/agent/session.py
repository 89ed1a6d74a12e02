"""The archive as this agent uses it: its bucket and engine, the lease, and what is known of it."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from walsup import log
from walsup.agent.continuity_note import Continuity
from walsup.agent.lag_meter import Meter
from walsup.agent.stored_deadline import StoredDeadline
from walsup.archive.catalog.scope import Stamp
from walsup.archive.engine.adapter import Engine
from walsup.archive.faults import Fault
from walsup.archive.owner_record import Owner
from walsup.archive.ownership.lease import Lease
from walsup.archive.storage.bucket import Bucket
from walsup.postgres.wal_files import timeline_history

if TYPE_CHECKING:
    from walsup.agent.audit.auditor import Auditor

_MOST_VERIFIED = 4096


class ArchiveSession:
    """What the loops share of the archive; lease and meter exist while this instance archives."""

    def __init__(
        self,
        bucket: Bucket | None,
        engine: Engine | Fault | None,
        continuity: Continuity,
        write_deadline: StoredDeadline | None,
        pgdata: Path,
    ) -> None:
        self.bucket = bucket
        self.engine = engine
        self.continuity = continuity
        self.write_deadline = write_deadline
        self._pgdata = pgdata
        self.meter: Meter | None = None
        self.lease: Lease | None = None
        self.rival: Owner | None = None  # the owner that renewed its lease meanwhile
        self.timelines: frozenset[int] = frozenset()  # of this cluster's history
        self.asked_s: float | None = None  # since when a listing has been without an answer
        self.answered_in_s = 0.0  # how long the last one took
        self._generation = 0
        self.backup_borrows = False  # whether a running base backup takes new keys by itself
        # Base backups that the engine could not read back in this run, and why.
        self.unreadable: dict[str, str] = {}
        # Base backups of this run, and when each began by the data directory's clock.
        self.taken: dict[str, float] = {}
        self.has_taken_backup = False
        self.auditor: Auditor | None = None
        # Pushed without postgres's archiver: its `.ready` stays although it is archived.
        self.swept: set[str] = set()
        # Segments as the lag has listed them, until a full round of the audit has listed them too.
        self.verified: dict[str, Stamp] = {}

    def follow_history(self, timeline: int) -> None:
        """Tell the meter where the timelines up to this one begin."""
        try:
            begins = timeline_history.beginnings(self._pgdata, timeline)
        except (OSError, ValueError) as fault:
            log.warning("history.unreadable", timeline=timeline, problem=str(fault))
            return
        for number, switch_lsn in begins:
            if self.meter is not None:
                self.meter.follow(number, switch_lsn)

    def note_verified(self, verified: Iterable[tuple[str, Stamp]]) -> None:
        """Keep how new segments were listed, the newest of them."""
        self.verified.update(verified)
        while len(self.verified) > _MOST_VERIFIED:
            del self.verified[next(iter(self.verified))]

    def next_generation(self, seen: int) -> int:
        """Return a generation that no daemon of this boot has had."""
        self._generation = max(self._generation, seen) + 1
        return self._generation
