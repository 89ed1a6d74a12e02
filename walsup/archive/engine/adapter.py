"""The engine that transfers the bytes, behind one adapter: WAL-G or WAL-RUS. Pure but for `choose`.

Both take the same settings, write the same format and answer the same daemon requests; the
differences are in this module (facts: WAL-RUS 0.4.1, WAL-G 3.0.8).
"""

import json
from pathlib import Path
from typing import NamedTuple

from walsup.archive.engine import capabilities, prefixes
from walsup.archive.engine.memory_budget import DAEMON_OOM_SCORE, ONE_SHOT_OOM_SCORE, Room
from walsup.archive.faults import Fault, FaultKind
from walsup.archive.lease_terms import longest_push_s
from walsup.settings import FileArchive, Settings, amazon_hosts
from walsup.system.programs import which

DEFAULT_COMPRESSION = {"walrus": "zstd", "wal-g": "lz4"}
_WALG_RETRIES = 7  # its default of 15 keeps a push to a dead endpoint for 10 to 17 minutes
_MEBIBYTE = 1 << 20
_STOP_RESERVE_S = 10.0
_SHORTEST_PUSH_S = 2.0


class Engine(NamedTuple):
    """An engine's programs, by absolute path, and the memory that each run may take."""

    name: str
    program: Path
    client: Path | None
    room: Room = Room()

    @property
    def has_daemon(self) -> bool:
        """Return whether a daemon transfers the WAL; WAL-G's is useless without its client."""
        return self.name == "walrus" or self.client is not None

    def daemon_argv(self, config: Path, socket: Path) -> list[str]:
        """Return the command of the resident daemon."""
        argv = [str(self.program), "--config", str(config), "daemon", str(socket)]
        return self.room.bound(argv, DAEMON_OOM_SCORE)

    def backup_argv(self, config: Path, pgdata: Path, note: str = "") -> list[str]:
        """Return the command of a full base backup, with a fast checkpoint and a note (JSON)."""
        words, option = ["--full"], "--add-user-data"
        if self.name == "walrus":
            words, option = ["--fast", "--full"], "--user-data"
        if note:
            words += [option, note]
        return self._once(config, "backup-push", *words, str(pgdata))

    def push_argv(self, config: Path, path: Path) -> list[str]:
        """Return the command that pushes one WAL file and no others, without the daemon's cache."""
        return self._once(config, "wal-push", str(path), before=ALONE)

    def fetch_argv(self, config: Path, name: str, target: Path) -> list[str]:
        """Return the command that fetches one WAL file, decompressed and decrypted, and no others.

        With more than one at a time, a child that nothing waits for fetches the others beside the
        target.
        """
        alone = ("env", "WALG_DOWNLOAD_CONCURRENCY=1")
        return self._once(config, "wal-fetch", name, str(target), before=alone)

    def cat_argv(self, config: Path, key: str, *, compressed: bool = True) -> list[str]:
        """Return the command that writes one object, decompressed and decrypted, to the output."""
        words = ["--decompress"] if compressed else []
        return self._once(config, "st", "cat", "--decrypt", *words, key)

    def list_argv(self, config: Path, folder: str) -> list[str]:
        """Return the command that lists the objects of a folder by name."""
        return self._once(config, "st", "ls", folder)

    def list_backups_argv(self, config: Path) -> list[str]:
        """Return the command that lists the finished base backups by name."""
        return self._once(config, "backup-list")

    def restore_argv(
        self, config: Path, data: Path, backup: str, spec: Path | None = None
    ) -> list[str]:
        """Return the command that restores a base backup and its parents into an empty directory.

        `spec`: the places of its tablespaces; without it WAL-G creates their links in the directory
        that was backed up, wherever that is.
        """
        more = ["--restore-spec", str(spec)] if spec and self.name == "wal-g" else []
        return self._once(config, "backup-fetch", str(data), backup, *more)

    def _once(self, config: Path, *words: str, before: tuple[str, ...] = ()) -> list[str]:
        argv = [*before, str(self.program), "--config", str(config), *words]
        return self.room.bound(argv, ONE_SHOT_OOM_SCORE)


# With more than one at a time the engines push whatever else is `.ready`, of any timeline.
ALONE = ("env", "WALG_UPLOAD_CONCURRENCY=1")


def choose(settings: Settings, path: str) -> Engine | Fault:
    """Return the engine that the settings request, from `path`."""
    walg, walrus = which("wal-g", path), which("walrus", path)
    client = which("walg-daemon-client", path)
    wanted = settings.engine
    if wanted == "auto":
        wanted = "wal-g" if walg else "walrus"
    program = walg if wanted == "wal-g" else walrus
    if not program:
        return Fault(
            kind=FaultKind.ENGINE_MISSING, problem=f"the engine {wanted} is not on PATH ({path})"
        )
    unable = capabilities.refusal(settings, wanted) or prefixes.refusal(settings.archive, wanted)
    if unable:
        return unable
    return Engine(name=wanted, program=Path(program), client=Path(client) if client else None)


def push_timeout_s(stop_grace_s: float, lease_s: float) -> float:
    """Return the deadline of one push.

    It must leave time for the rest of a stop (rule stop-ladder), and a push that began when the
    lease was about to end must end before another instance may write (rule one-owner).
    """
    after_stop_s = max(stop_grace_s - _STOP_RESERVE_S, _SHORTEST_PUSH_S)
    return min(after_stop_s, longest_push_s(lease_s))


def render(  # noqa: PLR0913 (each is one fact)
    settings: Settings,
    *,
    engine: str,
    compression: str,
    socket_dir: str,
    port: int,
    segment_bytes: int,
    room: Room = Room(),  # noqa: B008 (immutable)
    overwrites: bool = False,
) -> str:
    """Return the configuration for an engine (JSON; both read the same names), for a 0600 file.

    Settings of the engine that walsup does not own come first, so none of them can override ours.
    `overwrites`: a push replaces an object of its name. Otherwise the engine compares, for which it
    has to decrypt, and rejects other bytes.
    """
    push_s = push_timeout_s(settings.push_grace_s, settings.lease_s)
    rendered: dict[str, str] = {
        **room.knobs(),
        "WALG_S3_MAX_RETRIES": str(_WALG_RETRIES),
        "S3_ENABLE_VERSIONING": "disabled",
        # Otherwise WAL-G's base backup logs in to every database as the superuser.
        "WALG_DISABLE_PARTIAL_RESTORE": "true",
        **settings.passed_on,
        **_place(settings, engine),
        "WALG_COMPRESSION_METHOD": compression,
        "WALG_PREVENT_WAL_OVERWRITE": "false" if overwrites else "true",
        "WALG_DAEMON_WAL_UPLOAD_TIMEOUT": f"{push_s:g}s",
        "WALG_PG_WAL_SIZE": str(segment_bytes // _MEBIBYTE),  # WAL-G assumes 16 otherwise
        "PGDATA": str(settings.pgdata),
        "PGHOST": socket_dir,
        "PGPORT": str(port),
        "PGUSER": settings.database_role,
        "PGDATABASE": "postgres",
    }
    if endpoint := settings.endpoint or amazon_hosts.endpoint(settings.region or ""):
        rendered |= {"AWS_ENDPOINT": endpoint, "AWS_S3_FORCE_PATH_STYLE": "true"}
    for name, value in (
        ("AWS_REGION", settings.region),
        ("AWS_ACCESS_KEY_ID", settings.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", settings.secret_access_key),
        ("AWS_SESSION_TOKEN", settings.session_token),
        ("PGPASSWORD", settings.pgpassword),
    ):
        if value:
            rendered[name] = value
    return json.dumps(rendered, indent=1) + "\n"


def _place(settings: Settings, engine: str) -> dict[str, str]:
    """Return the place of the archive; WAL-RUS prefers WALG_FILE_PREFIX when it sees both."""
    if isinstance(settings.archive, FileArchive):
        return {"WALG_FILE_PREFIX": settings.archive.directory}
    if settings.archive is None:
        raise ValueError("there is no archive")
    return {"WALG_S3_PREFIX": prefixes.rendered(settings.archive, engine)}
