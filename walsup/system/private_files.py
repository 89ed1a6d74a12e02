"""Files of the run directory that only this user may read."""

import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_private(path: Path) -> BinaryIO:
    """Open an empty file for a child's output, which may show secrets: mode 0600, old or new.

    A device (/dev/null) keeps its mode.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.fchmod(descriptor, 0o600)
        return os.fdopen(descriptor, "wb")
    except BaseException:
        os.close(descriptor)
        raise


def write_private(path: Path, text: str) -> None:
    """Put `text` at `path` by rename, mode 0600 from its first byte on.

    Raises:
        OSError: with the path, which a write to a full disk alone does not name.
    """
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as fault:
        fresh.unlink(missing_ok=True)
        raise OSError(fault.errno, fault.strerror, str(path)) from fault
    fresh.replace(path)
