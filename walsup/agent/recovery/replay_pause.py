"""Pauses replay while a new tablespace is checked, and records that for a restarted agent.

The record is written before postgres is asked to pause, and names the postmaster: a pause ends
with it. A pause that existed before was not made by walsup and is not recorded.
"""

import contextlib
import json
from pathlib import Path

import asyncpg

from walsup import log
from walsup.agent.recovery.low_settings import too_low
from walsup.agent.recovery.tablespace_directories import Link
from walsup.errors import WalsupError
from walsup.postgres.sql import replay_progress
from walsup.postgres.sql.connection import UNANSWERED, Sql
from walsup.system.private_files import write_private

FILE = "replay-pause.json"

_IS_PAUSED = "select pg_catalog.pg_is_wal_replay_paused()"
_PAUSE = "select pg_catalog.pg_wal_replay_pause()"
_RESUME = "select pg_catalog.pg_wal_replay_resume()"


class ReplayPause:
    """Pauses replay and resumes it; the record is in the run directory."""

    def __init__(self, run_dir: Path, pgdata: Path) -> None:
        self._path = run_dir / FILE
        self._pgdata = pgdata

    def recorded(self) -> frozenset[Link]:
        """Return the tablespaces for which replay of this postmaster was paused, none if not."""
        try:
            record = json.loads(self._path.read_text(encoding="utf-8"))
            links = frozenset((str(number), Path(place)) for number, place in record["links"])
            of_server = str(record["postmaster"])
        except FileNotFoundError:
            return frozenset()
        except (OSError, ValueError, TypeError, KeyError) as odd:
            log.warning("replay_pause.unreadable", problem=str(odd))
            return frozenset()
        return links if of_server and of_server == self._server() else frozenset()

    async def begin(self, sql: Sql, links: frozenset[Link]) -> bool:
        """Pause replay; return whether to resume it: this call has, or may have, paused it."""
        try:
            (is_paused,) = await sql.row(_IS_PAUSED)
        except UNANSWERED:
            return False  # it accepts no session yet
        if is_paused:
            return False
        noted = {"postmaster": self._server(), "links": [(n, str(place)) for n, place in links]}
        try:
            write_private(self._path, json.dumps(noted))
        except OSError as fault:  # protecting the other server's files matters more than the record
            log.warning("replay_pause.unrecorded", problem=str(fault))
        with contextlib.suppress(*UNANSWERED):  # perhaps only the answer was lost
            await sql.row(_PAUSE)
        return True

    async def end(self, sql: Sql) -> bool:
        """Resume replay; return whether that is done, or not this agent's task.

        Replay that postgres itself has paused because settings are too low stays paused: resuming
        it would end the server.
        """
        try:
            at = await replay_progress.observe(sql)
            if not _is_too_low(self._pgdata, at):
                await sql.row(_RESUME)
        except asyncpg.ObjectNotInPrerequisiteStateError:
            pass  # it is promoted
        except UNANSWERED:
            return False
        self._path.unlink(missing_ok=True)
        return True

    def _server(self) -> str:
        """Return what identifies the running server: pid and start time; pids are used again."""
        try:
            lines = (self._pgdata / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except OSError:
            return ""
        # Source: PostgreSQL 10 to 18, pidfile.h: LOCK_FILE_LINE_START_TIME is 3.
        return f"{lines[0].strip()} {lines[2].strip()}" if len(lines) > 2 else ""  # noqa: PLR2004


def _is_too_low(pgdata: Path, at: replay_progress.Replay) -> bool:
    try:
        return bool(too_low(pgdata, at.limits))
    except WalsupError:
        return False
