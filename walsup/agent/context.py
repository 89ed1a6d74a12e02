"""What every loop uses: settings, the archive, signals, the database, PID 1, the board."""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from walsup import log, settings
from walsup.agent.board import Board
from walsup.agent.continuity_note import Continuity
from walsup.agent.pid1_link import Pid1Link
from walsup.agent.session import ArchiveSession
from walsup.agent.signals import Signals
from walsup.agent.stored_deadline import wanted
from walsup.archive.engine import adapter, archive_command
from walsup.archive.storage.bucket import open_bucket
from walsup.datadir import archive_subpath, markers
from walsup.postgres.sql.connection import Sql
from walsup.postgres.sql.startup_settings import Purpose


class AgentContext:
    """Built once at the agent's start; only the bucket's credentials change later."""

    def __init__(self, run_dir: Path, wire: int | None, board: Board | None = None) -> None:
        """`board`: one that probes already show.

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
        self.pid1 = Pid1Link(run_dir, wire)
        archive = self.settings.archive
        self.board = board or Board(None)
        self.board.begin(str(archive) if archive else None, self.settings.role)
        show_identity(self.board, content)
        self.session = ArchiveSession(
            open_bucket(self.settings) if archive else None,
            adapter.choose(self.settings, os.environ.get("PATH", "")) if archive else None,
            Continuity(self.settings.pgdata, str(archive), self.boot),
            wanted(self.settings, run_dir, self.boot),
            self.settings.pgdata,
        )
        self.signals = Signals()
        self.sql = Sql(self.settings.pgdata, self.settings.database_role, self.settings.pgpassword)
        self.checks_tablespaces = False  # replay is paused for a moment

    def read_credentials(self) -> settings.Settings:
        """Return the settings with the bucket's credentials as the secret files have them now.

        Nothing else changes in a run: another archive would need another base backup.

        Raises:
            SettingsError: a file cannot be read, or holds something wrong.
        """
        again = self.reload_settings()
        renewed = self.settings._replace(
            access_key_id=again.access_key_id,
            secret_access_key=again.secret_access_key,
            session_token=again.session_token,
        )
        again = again._replace(source=renewed.source, source_faults=renewed.source_faults)
        if again not in (renewed, self._kept):
            log.warning(
                "settings.kept",
                problem="more than the bucket's credentials has changed: the other changes apply"
                " after a restart of the container",
            )
        self._kept = again
        return renewed

    def reload_settings(self, within_s: float = 0.0) -> settings.Settings:
        """Return all settings as the environment and the secret files have them now.

        `within_s`: a reading of another loop that is not older than this is used.

        Raises:
            SettingsError: a file cannot be read, or holds something wrong.
        """
        read = self._read
        if read is not None and time.monotonic() - read[0] <= within_s:
            return read[1]
        began_s = time.monotonic()
        renewed = archive_subpath.where(settings.load(self._environment))
        self._read = (began_s, renewed)
        return renewed

    def new_sql(self) -> Sql:
        """Return a new session like the agent's, not yet open; the caller drops it."""
        current = self.settings
        return Sql(current.pgdata, current.database_role, current.pgpassword)

    def look_into(self, database: str) -> Sql:
        """Return a session that reads a database's catalogs; the caller drops it."""
        current = self.settings
        return Sql(
            current.pgdata,
            current.database_role,
            current.pgpassword,
            database,
            purpose=Purpose.LOOK,
        )

    def secret_sql(self) -> Sql:
        """Return a session whose statements are logged nowhere; the caller drops it."""
        current = self.settings
        return Sql(
            current.pgdata, current.database_role, current.pgpassword, purpose=Purpose.SECRET
        )

    @property
    def path(self) -> str:
        """Where programs are looked for."""
        return os.environ.get("PATH", "")

    def adopt(self, renewed: settings.Settings) -> None:
        """Use these settings from now on; a region that was looked up is kept."""
        current = self.session.bucket
        region = renewed.region or (current.region if current else None)
        self.settings = renewed
        self.session.bucket = (
            open_bucket(renewed._replace(region=region)) if renewed.archive else None
        )

    def secrets(self) -> tuple[str, ...]:
        """What must be cut from a child's output before it is shown."""
        return self.settings.secrets


def show_identity(board: Board, content: Mapping[str, Any]) -> None:
    """Show which data directory and start this agent belongs to, as prepare has written it."""
    pgdata = Path(content["pgdata"])
    try:
        place = markers.place(pgdata)
    except OSError:
        place = ""
    board.put(boot=str(content["boot"]), pgdata=str(pgdata), place=place)
