"""Files that this user may not see: whether they exist is not known."""

import errno
import os
from pathlib import Path

_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


def is_absent(path: Path) -> bool:
    """Return whether a file certainly does not exist; in a closed directory it may exist."""
    try:
        path.stat()
    except OSError as fault:
        return fault.errno in _ABSENT
    return False


def is_hidden(pgdata: Path, path: Path) -> bool:
    """Return whether only another user may read a file outside of a data directory."""
    inside = Path(os.path.realpath(path)).is_relative_to(os.path.realpath(pgdata))
    return not inside and not is_absent(path) and not os.access(path, os.R_OK)
