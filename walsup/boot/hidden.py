"""Files that this user may not look at: whether they are there is not known."""

import errno
from pathlib import Path

_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


def is_absent(path: Path) -> bool:
    """Return whether a file is certainly not there; behind a closed directory it may be."""
    try:
        path.stat()
    except OSError as fault:
        return fault.errno in _ABSENT
    return False
