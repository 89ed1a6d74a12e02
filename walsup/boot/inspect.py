"""What the data directory holds, found out without running a program."""

import os
import re
from pathlib import Path

from walsup import units
from walsup.boot import staging
from walsup.boot.plan import Broken, Cluster, Empty, Found, Recovering, Staged
from walsup.datadir import restore_state
from walsup.errors import DataDirectoryError, WalsupError
from walsup.postgres import pg_control, standby_signal
from walsup.system.programs import which

_NOT_OURS_TO_COUNT = ("lost+found", ".snapshot")
# With one of these files postgres fetches its WAL from elsewhere.
_RECOVERS = ("recovery.signal", "standby.signal", "recovery.conf")
# Whatever the version, postgres cannot start without these.
_REQUIRED = ("base", "global", "pg_wal", "pg_xact")


def look(pgdata: Path, *, config_elsewhere: bool = False) -> Found:
    """Return the kind of the data directory; `config_elsewhere` when config_file is set."""
    entries = sorted(
        entry.name
        for entry in os.scandir(pgdata)
        if entry.name not in _NOT_OURS_TO_COUNT and not entry.name.startswith(".walsup-")
    )
    has_global = "global" in entries
    if staging.exists(pgdata) and not has_global:
        # `global` is moved last: without it the move has not ended, or not begun.
        if staging.is_complete(pgdata):
            return _complete(pgdata)
        entries = [name for name in entries if name not in staging.filled_beside(pgdata)]
        return Staged(complete=False) if not entries else _foreign(pgdata, entries)
    if not entries:
        return Empty()
    if "PG_VERSION" not in entries:
        return _foreign(pgdata, entries)
    return _cluster(pgdata, config_elsewhere=config_elsewhere)


def _complete(pgdata: Path) -> Found:
    data = pgdata / staging.STAGE / staging.DATA
    if not (data / "global").is_dir():
        return Broken(
            error=DataDirectoryError(
                f"{pgdata} lost its files while a new cluster was being moved into place",
                hint="if this database may be created from scratch, remove"
                f" {pgdata / staging.STAGE}",
            )
        )
    version = next((p for p in (data, pgdata) if (p / "PG_VERSION").exists()), None)
    return Staged(complete=True, major=_version(version) if version else None)


def _version(directory: Path) -> str:
    return (directory / "PG_VERSION").read_text(encoding="ascii", errors="replace").strip()


def _cluster(pgdata: Path, *, config_elsewhere: bool) -> Found:
    major = _version(pgdata)
    if not re.fullmatch(r"\d+(\.\d+)?", major, re.ASCII):
        return Broken(
            error=DataDirectoryError(
                f"{pgdata}/PG_VERSION says {major!r}, which is not a version",
                hint="the directory is damaged: restore it from a backup",
            )
        )
    if restore_state.is_recovering(pgdata):
        return Recovering(major=major)
    try:
        return _missing(pgdata, major, config_elsewhere=config_elsewhere) or Cluster(
            major=major, control=pg_control.read(pgdata), standby=standby_signal.is_standby(pgdata)
        )
    except WalsupError as fault:
        return Broken(error=fault, major=major)


def _missing(pgdata: Path, major: str, *, config_elsewhere: bool) -> Broken | None:
    for name in _REQUIRED:
        path = pgdata / name
        if path.exists():
            continue
        if path.is_symlink():
            return _unmounted(path, major, "which does not exist")
        return _incomplete(pgdata, major, [name])
    conf = pgdata / "postgresql.conf"
    if not config_elsewhere and not conf.exists():
        # Bitnami and Debian keep it elsewhere, so its absence alone is no loss.
        if conf.is_symlink():
            return _unmounted(conf, major, "which does not exist")
        from walsup.boot import completeness  # noqa: PLC0415 (not for every start)

        if lost := completeness.lacking(pgdata):
            return _incomplete(pgdata, major, ["postgresql.conf", *lost])
    wal = pgdata / "pg_wal"
    recovers = any((pgdata / name).exists() for name in _RECOVERS)
    if wal.is_symlink() and not recovers and not any(wal.iterdir()):
        return _unmounted(wal, major, "which is empty")
    return None


def _incomplete(pgdata: Path, major: str, lost: list[str]) -> Broken:
    error = DataDirectoryError(
        f"{pgdata} has PG_VERSION but no {units.abbreviate(lost)}: it is incomplete",
        hint="another program's initdb or copy was interrupted: restore the directory from"
        " a backup, or empty it if it never held data",
    )
    return Broken(error=error, major=major)


def _unmounted(link: Path, major: str, finding: str) -> Broken:
    error = DataDirectoryError(
        f"{link} points to {link.readlink()}, {finding}",
        hint="mount the volume that it points to",
    )
    return Broken(error=error, major=major)


def _foreign(pgdata: Path, entries: list[str]) -> Broken:
    mounts = [name for name in entries if (pgdata / name).is_mount()]
    if mounts:
        return Broken(
            error=DataDirectoryError(
                f"{pgdata / mounts[0]} is a mount point inside a data directory that holds no"
                " database",
                hint="mount the volume outside of PGDATA; for pg_wal, set"
                " POSTGRES_INITDB_WALDIR to its path",
            )
        )
    inside = [name for name in entries if os.path.isfile(pgdata / name / "PG_VERSION")]  # noqa: PTH113 (Path's raises where it cannot look)
    if len(inside) == 1:
        return Broken(
            error=DataDirectoryError(
                f"{pgdata} itself holds no database, but its sub-directory {inside[0]} does",
                hint=f"set PGDATA={pgdata / inside[0]}; nothing has been touched",
            )
        )
    return Broken(
        error=DataDirectoryError(
            f"{pgdata} is not empty and holds no database: {units.abbreviate(entries)}",
            hint="set PGDATA to a sub-directory of the volume, or empty it; nothing has been"
            " touched",
        )
    )


def program(name: str, bindir: Path | None, path: str) -> str:
    """Return the path of one of PostgreSQL's programs; a guess when it is missing.

    A missing or non-executable program is noticed when it is started (127, 126).
    """
    if bindir:
        return str(bindir / name)
    if found := which(name, path):
        return found
    candidates = (Path(folder) / name for folder in path.split(":") if folder)
    return str(next((found for found in candidates if found.exists()), Path("/usr/bin") / name))


def major_of(pgdata: Path) -> int:
    """Return the major version of a data directory.

    Raises:
        OSError, ValueError: it holds no version.
    """
    return int(_version(pgdata).partition(".")[0])


def binaries_major(postgres: str) -> str | None:
    """Return the programs' major version from their path, else from pg_config; None if neither."""
    real = os.path.realpath(postgres)
    if found := re.search(r"/(?:postgresql|pgsql|postgres)[-/]?(\d\d|9\.\d)(?:/|$)", real):
        return found[1]
    pg_config = Path(real).parent / "pg_config"
    if not os.access(pg_config, os.X_OK):
        return None
    import subprocess  # noqa: PLC0415 (6 ms of every start that needs none)

    try:
        answer = subprocess.run(
            [pg_config, "--version"], capture_output=True, text=True, check=False, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"PostgreSQL (\d+)", answer.stdout)
    return found[1] if found else None
