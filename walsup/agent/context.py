"""What every loop is given: settings, the bucket, the engine, the database, PID 1, the board."""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from walsup import log, settings, units
from walsup.agent.continuity_note import Continuity
from walsup.agent.fence_lease import wanted
from walsup.agent.lag_meter import Meter
from walsup.agent.pid1_link import Pid1
from walsup.agent.repeated_errors import REPEATS
from walsup.agent.state import Board
from walsup.archive.catalog.scope import Stamp
from walsup.archive.engine import adapter, archive_command
from walsup.archive.faults import Fault
from walsup.archive.owner_record import Owner
from walsup.archive.ownership.lease import Lease
from walsup.archive.storage.bucket import open_bucket
from walsup.datadir import archive_subpath, markers
from walsup.postgres.sql.connection import Sql
from walsup.postgres.sql.startup_settings import Purpose
from walsup.postgres.wal_files import timeline_history

if TYPE_CHECKING:
    from walsup.agent.audit.auditor import Auditor

_MOST_VERIFIED = 4096


class World:
    """Built once at the agent's start; only the bucket's credentials change later."""

    def __init__(self, run_dir: Path, wire: int | None, board: Board | None = None) -> None:
        """`board`: one that is shown already.

        Raises:
            SettingsError: a secret file cannot be read.
        """
        content = json.loads((run_dir / "agent.json").read_text(encoding="utf-8"))
        self.run_dir = run_dir
        self.engine_config = run_dir / archive_command.CONFIG
        self.engine_socket = run_dir / archive_command.SOCKET
        self.boot = str(content["boot"])
        self._environment: dict[str, str] = content["environment"]
        self.settings = archive_subpath.where(settings.load(self._environment))
        self._kept = self.settings
        self._read: tuple[float, settings.Settings] | None = None  # when they were read again
        self.pid1 = Pid1(run_dir, wire)
        archive = self.settings.archive
        self.board = board or Board(None)
        self.board.begin(str(archive) if archive else None, self.settings.role)
        show_identity(self.board, content)
        self.bucket = open_bucket(self.settings) if archive else None
        self.engine: adapter.Engine | Fault | None = (
            adapter.choose(self.settings, os.environ.get("PATH", "")) if archive else None
        )
        self.sql = Sql(self.settings.pgdata, self.settings.database_role, self.settings.pgpassword)
        self.continuity = Continuity(self.settings.pgdata, str(archive), self.boot)
        self.meter: Meter | None = None
        self.lease: Lease | None = None
        self.fencing = wanted(self.settings, run_dir, self.boot)
        self.rival: Owner | None = None  # who has written the owner object while we looked
        self.timelines: frozenset[int] = frozenset()  # of this cluster's history
        self.asked_s: float | None = None  # since when a listing has been without an answer
        self.answered_in_s = 0.0  # how long the last one took
        self._generation = 0
        self.stopping = asyncio.Event()
        self.sweeping = asyncio.Event()
        self.reopen = asyncio.Event()
        self.hole_found = asyncio.Event()
        self.withdrawn = asyncio.Event()
        self.judges_tablespaces = False  # replay is paused for a moment
        self.asked_to_reread = asyncio.Event()
        self.rotated = asyncio.Event()
        self.backup_refused = asyncio.Event()
        self.backup_borrows = False  # whether a running base backup takes new keys by itself
        self.adopted = asyncio.Event()
        self.audit_wanted = asyncio.Event()
        # Base backups that the engine could not read back in this run, and why.
        self.unreadable: dict[str, str] = {}
        # Base backups of this run, and when each began by the data directory's clock.
        self.taken: dict[str, float] = {}
        self.has_taken_backup = False
        self.auditor: Auditor | None = None
        # What was pushed past postgres's archiver: its `.ready` stays, though it is archived.
        self.swept: set[str] = set()
        # Segments as the lag's listing has shown them, until a full round of the audit has too.
        self.verified: dict[str, Stamp] = {}

    def follow_history(self, timeline: int) -> None:
        """Tell the meter where the timelines up to this one begin."""
        try:
            begins = timeline_history.beginnings(self.settings.pgdata, timeline)
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
        """Give a number for a fresh daemon that none of this boot has had."""
        self._generation = max(self._generation, seen) + 1
        return self._generation

    def read_credentials(self) -> settings.Settings:
        """Give the settings with the bucket's credentials as the secret files have them now.

        Nothing else changes in a run: another archive would need a base backup of its own.

        Raises:
            SettingsError: a file cannot be read, or holds something wrong.
        """
        again = self.reload_settings()
        found = self.settings._replace(
            access_key_id=again.access_key_id,
            secret_access_key=again.secret_access_key,
            session_token=again.session_token,
        )
        again = again._replace(source=found.source, source_faults=found.source_faults)
        if again not in (found, self._kept):
            log.warning("settings.kept", problem="more than the bucket's credentials has changed")
        self._kept = again
        return found

    def reload_settings(self, within_s: float = 0.0) -> settings.Settings:
        """Give all settings as the environment and the secret files have them now.

        `within_s`: what another loop has read no longer ago than that is as good.

        Raises:
            SettingsError: a file cannot be read, or holds something wrong.
        """
        read = self._read
        if read is not None and time.monotonic() - read[0] <= within_s:
            return read[1]
        began_s = time.monotonic()
        found = archive_subpath.where(settings.load(self._environment))
        self._read = (began_s, found)
        return found

    def new_sql(self) -> Sql:
        """Return a session like the agent's own that is not open yet; the caller drops it."""
        known = self.settings
        return Sql(known.pgdata, known.database_role, known.pgpassword)

    def look_into(self, database: str) -> Sql:
        """Return a session that reads a database's catalogs; the caller drops it."""
        known = self.settings
        return Sql(
            known.pgdata, known.database_role, known.pgpassword, database, purpose=Purpose.LOOK
        )

    def secret_sql(self) -> Sql:
        """Return a session whose statements are logged nowhere; the caller drops it."""
        known = self.settings
        return Sql(known.pgdata, known.database_role, known.pgpassword, purpose=Purpose.SECRET)

    @property
    def path(self) -> str:
        """Where programs are looked for."""
        return os.environ.get("PATH", "")

    def adopt(self, found: settings.Settings) -> None:
        """Use these settings from now on; a region that was looked up need not be asked again."""
        region = found.region or (self.bucket.region if self.bucket else None)
        self.settings = found
        self.bucket = open_bucket(found._replace(region=region)) if found.archive else None

    def secrets(self) -> tuple[str, ...]:
        """What must be cut from a child's output before it is shown."""
        return self.settings.secrets


def show_identity(board: Board, content: Mapping[str, Any]) -> None:
    """Put on the board whose agent this is, from what prepare has written for it."""
    pgdata = Path(content["pgdata"])
    try:
        place = markers.place(pgdata)
    except OSError:
        place = ""
    board.put(boot=str(content["boot"]), pgdata=str(pgdata), place=place)


def begin(name: str, work: Callable[[], Awaitable[None]]) -> "asyncio.Task[None]":
    """Begin a task that runs `forever`."""
    return asyncio.create_task(forever(name, work))


async def forever(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Run a loop until it returns: whatever it raises is logged, and it begins again."""
    failures = 0
    while True:
        try:
            return await work()
        except asyncio.CancelledError:
            raise
        except Exception as bug:  # noqa: BLE001 (a bug in one loop must not end the others)
            failures += 1
            REPEATS.exception("loop.failed", bug, loop=name)
        await asyncio.sleep(units.backoff(failures, 0.5, 30.0))
