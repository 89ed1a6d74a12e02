"""What is in the data directory, told without running a program."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from walsup.boot import stage
from walsup.boot.plan import Broken, Cluster, Empty, Found, Staged
from walsup.errors import WalsupError
from walsup.postgres import control

_NOT_OURS_TO_COUNT = ("lost+found", ".snapshot")
_SHOWN = 5
# Whatever the version, postgres cannot start without these.
_REQUIRED = ("base", "global", "pg_wal", "pg_xact", "postgresql.conf")


def look(pgdata: Path, *, config_elsewhere: bool = False) -> Found:
    """Tell what the data directory is; `config_elsewhere` when config_file is set."""
    entries = sorted(
        entry.name
        for entry in os.scandir(pgdata)
        if entry.name not in _NOT_OURS_TO_COUNT and not entry.name.startswith(".walsup-")
    )
    has_global = "global" in entries
    if stage.exists(pgdata) and not has_global:
        # `global` is moved last: without it the move has not ended, or not begun.
        if stage.is_complete(pgdata):
            return Staged(complete=True)
        return Staged(complete=False) if not entries else _foreign(pgdata, entries)
    if not entries:
        return Empty()
    if "PG_VERSION" not in entries:
        return _foreign(pgdata, entries)
    return _cluster(pgdata, config_elsewhere=config_elsewhere)


def _cluster(pgdata: Path, *, config_elsewhere: bool) -> Found:
    major = (pgdata / "PG_VERSION").read_text(encoding="ascii", errors="replace").strip()
    if not re.fullmatch(r"\d+(\.\d+)?", major):
        return Broken(
            problem=f"{pgdata}/PG_VERSION says {major!r}, which is no version",
            hint="the directory is damaged: restore it from a backup",
        )
    for name in _REQUIRED:
        path = pgdata / name
        if path.exists() or (name == "postgresql.conf" and config_elsewhere):
            continue
        if path.is_symlink():
            return Broken(
                problem=f"{path} points to {path.readlink()}, which does not exist",
                hint="is the volume that it points to mounted?",
            )
        return Broken(
            problem=f"{pgdata} has PG_VERSION but no {name}: it is incomplete",
            hint="it was left by an interrupted initdb or copy of another program; restore it from"
            " a backup, or empty it if it never held data",
        )
    try:
        return Cluster(major=major, control=control.read(pgdata))
    except WalsupError as fault:
        return Broken(problem=fault.problem, hint=fault.hint)


def _foreign(pgdata: Path, entries: list[str]) -> Broken:
    mounts = [name for name in entries if (pgdata / name).is_mount()]
    if mounts:
        return Broken(
            problem=f"{pgdata}/{mounts[0]} is a mount point inside an empty data directory",
            hint="mount it outside of PGDATA; for pg_wal set POSTGRES_INITDB_WALDIR to it",
        )
    shown = ", ".join(entries[:_SHOWN]) + (" …" if len(entries) > _SHOWN else "")
    return Broken(
        problem=f"{pgdata} is not empty and holds no database: {shown}",
        hint="set PGDATA to a sub-directory of the volume, or empty it; nothing has been touched",
    )


def program(name: str, bindir: Path | None, path: str) -> str:
    """Give the path of one of PostgreSQL's programs; a bare guess when it is missing.

    What is missing or not executable shows when it is started (127, 126).
    """
    if bindir:
        return str(bindir / name)
    return shutil.which(name, path=path) or _unexecutable(name, path)


def _unexecutable(name: str, path: str) -> str:
    candidates = (os.path.join(folder, name) for folder in path.split(":") if folder)
    return next((found for found in candidates if os.path.exists(found)), f"/usr/bin/{name}")


def binaries_major(postgres: str) -> str | None:
    """Give the programs' major version from their path, else from pg_config; None if neither."""
    real = os.path.realpath(postgres)
    if found := re.search(r"/(?:postgresql|pgsql|postgres)[-/]?(\d+)(?:/|$)", real):
        return found[1]
    pg_config = os.path.join(os.path.dirname(real), "pg_config")
    if not os.access(pg_config, os.X_OK):
        return None
    answer = subprocess.run(  # noqa: S603 (a program of PG_BINDIR, no shell)
        [pg_config, "--version"], capture_output=True, text=True, check=False, timeout=10
    )
    found = re.search(r"PostgreSQL (\d+)", answer.stdout)
    return found[1] if found else None
