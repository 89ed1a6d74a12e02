"""The data directory before postgres gets it: its mode, and room for a recovery."""

import os
import stat
from pathlib import Path

from walsup import log
from walsup.boot.existing_cluster import socket_directories
from walsup.errors import PermissionsError
from walsup.postgres.wal_files import reserve

_MODES = (0o700, 0o750)


def check_mode(pgdata: Path) -> None:
    """Close PGDATA to other users, as postgres demands (rule stage).

    Raises:
        PermissionsError: it is another user's.
    """
    status = pgdata.stat()
    if status.st_uid != os.geteuid():
        raise PermissionsError(
            f"the data directory {pgdata} belongs to uid {status.st_uid}, but this process"
            f" runs as uid {os.geteuid()}",
            hint="set PGDATA to a sub-directory of the volume, which walsup then creates,"
            " or change the owner of the directory",
        )
    if stat.S_IMODE(status.st_mode) not in _MODES:
        pgdata.chmod(0o700)


def check_linked(pgdata: Path) -> None:
    """Reject a WAL directory or a tablespace outside of PGDATA that this user cannot write to.

    Raises:
        PermissionsError: with the directory and its owner.
    """
    folder = pgdata / "pg_tblspc"
    spaces = sorted(folder.iterdir()) if folder.is_dir() else []
    for link in (pgdata / "pg_wal", *spaces):
        if not link.is_symlink() or not os.path.isdir(link):  # noqa: PTH112 (never raises)
            continue
        if not os.access(link, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionsError(
                f"{link} points to {link.readlink()}, which uid {link.stat().st_uid} owns and"
                f" uid {os.geteuid()} cannot use",
                hint="give that directory to the owner of the data directory (chown -R)",
            )


def clear_stale_socket(folder: Path, port: int, pgdata: Path) -> None:
    """Remove the lock of a socket that a killed postgres of this directory has left.

    Its process is dead, because this process holds the data directory's lock (rule directory-lock).
    Another process may have its number by now, and then postgres would not start.
    """
    lock = folder / f".s.PGSQL.{port}.lock"
    try:
        lines = lock.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    # Source: miscinit.c, CreateLockFile: the process, then the data directory. A copy names
    # another.
    if lines[1:2] == [str(pgdata)] or socket_directories.is_inside(folder, pgdata):
        lock.unlink(missing_ok=True)
        log.warning("socket_lock.removed", path=str(lock), pid=lines[0])


def make_room(pg_wal: Path, segment_bytes: int) -> None:
    """Let postgres end its recovery on a full disk; otherwise nothing is ever archived.

    Rule disk-full.
    """
    try:
        segments = reserve.give_up(pg_wal, segment_bytes)
    except OSError as fault:
        log.warning("reserve.kept", problem=str(fault))
        return
    if segments:
        log.warning("reserve.given_up", segments=segments, why="the disk of pg_wal is nearly full")
