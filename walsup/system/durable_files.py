"""Small files of the data directory that a power cut leaves whole: the old or the new one."""

import os
from pathlib import Path


def write_durable(path: Path, text: str) -> None:
    """Put `text` at `path` by rename, with file and folder synced, mode 0600.

    Raises:
        OSError: with the path, which a write to a full disk alone does not name.
    """
    try:
        _write(path, text)
    except OSError as fault:
        raise OSError(fault.errno, fault.strerror, fault.filename or str(path)) from fault


def sync(path: Path) -> None:
    """Have a file, or the names in a directory, on the disk.

    Raises:
        OSError: it cannot be.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path.with_name(path.name + ".new"), os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.truncate()
        file.write(text)
        if os.geteuid() == 0:  # a person in the container; the agent must read it
            os.fchown(file.fileno(), *_owner_of(path.parent))
        file.flush()
        os.fsync(file.fileno())
    path.with_name(path.name + ".new").replace(path)
    sync(path.parent)


def _owner_of(directory: Path) -> tuple[int, int]:
    status = directory.stat()
    return status.st_uid, status.st_gid
