"""Which stage or data directory uses a directory outside PGDATA (rule stage).

A tablespace or a WAL directory may be another server's by the time that this one wants to empty it:
its path proves nothing, and neither does its inode. The last user of a directory has therefore left
a mark on it, and a running server holds a lock.
"""

import fcntl
import os
from pathlib import Path

_MARK = "user.walsup.used-by"
# What a file system has in its topmost directory, owned by root.
VOLUMES_OWN = ("lost+found", ".snapshot")
_VERSIONS = "PG_*"


def new_stage() -> str:
    """Return the mark of a new stage."""
    return f"stage {os.urandom(8).hex()}"


def data_directory(pgdata: Path) -> str:
    """Return the mark of this data directory; a copy of it has another one.

    Raises:
        OSError: the data directory cannot be read.
    """
    return f"data {pgdata.stat().st_ino} {(pgdata / 'pg_xact').stat().st_ino}"


def put(directory: Path, mark: str) -> bool:
    """Put the mark of the new user on a directory; False: it could not be marked."""
    if of(directory) == mark:
        return True
    try:
        os.setxattr(directory, _MARK, mark.encode())
    except OSError:
        return False  # this file system, or a security module, does not allow it
    return True


def of(directory: Path) -> str:
    """Return the mark of its last user, "" when there is none, or none can be read."""
    try:
        return os.getxattr(directory, _MARK).decode("ascii", "replace")
    except OSError:
        return ""


def content(directory: Path) -> list[str]:
    """Return the names in a directory, without a volume's own; none when it does not exist.

    Raises:
        OSError: it cannot be read.
    """
    try:
        return sorted(p.name for p in directory.iterdir() if p.name not in VOLUMES_OWN)
    except FileNotFoundError:
        return []


def is_locked(directory: Path) -> bool:
    """Return whether a running server holds the lock of the directory, or of one of its versions.

    Raises:
        OSError: the directory cannot be read.
    """
    return any(_is_locked(path) for path in (directory, *directory.glob(_VERSIONS)))


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # this file system has no locks: the mark decides
    finally:
        os.close(descriptor)
    return False
