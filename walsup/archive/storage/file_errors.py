"""The meaning of a file system's errors, in the classes of `faults`. Pure.

The file system is that of an archive in a directory, or this machine's (run and data directory).
"""

import errno
from pathlib import PurePath

from walsup.archive.faults import Fault, FaultKind

# The note of an exception that a request to an archive in a directory raised.
OF_ARCHIVE = "in the archive's directory"
_NO_SUCH_BUCKET = "NoSuchBucket"
_KINDS = {
    errno.ENOSPC: FaultKind.DISK_FULL,
    errno.EDQUOT: FaultKind.DISK_FULL,
    errno.EFBIG: FaultKind.DISK_FULL,
    errno.EACCES: FaultKind.NO_RIGHTS,
    errno.EPERM: FaultKind.NO_RIGHTS,
    errno.EROFS: FaultKind.NO_RIGHTS,
    errno.ETIMEDOUT: FaultKind.TIMEOUT,
    errno.EIO: FaultKind.SERVER_ERROR,
    errno.ESTALE: FaultKind.SERVER_ERROR,
    errno.EREMOTEIO: FaultKind.SERVER_ERROR,
    errno.ENOTCONN: FaultKind.REFUSED,
    errno.ECONNREFUSED: FaultKind.REFUSED,
    errno.EHOSTDOWN: FaultKind.REFUSED,
    errno.EHOSTUNREACH: FaultKind.REFUSED,
}
_REMEDIES = {
    FaultKind.DISK_FULL: "free space on the volume of the archive; walsup retries",
    FaultKind.NO_RIGHTS: "allow this user to write into the archive's directory (owner, mode,"
    " read-only mount)",
    FaultKind.TIMEOUT: "check the archive's mount and its server: it hangs; no restart is needed",
    FaultKind.SERVER_ERROR: "check the archive's volume and the kernel log; it may have to be"
    " mounted again",
    FaultKind.REFUSED: "check the archive's mount, and that its server runs",
    FaultKind.NO_BUCKET: "mount the archive's volume, or create the directory for this user",
}


def fault_of(raised: OSError) -> Fault | None:
    """Return the fault of an errno; None for one that is not about files."""
    missing = raised.errno == errno.ENOENT and _NO_SUCH_BUCKET in str(raised.strerror)
    kind = FaultKind.NO_BUCKET if missing else _KINDS.get(raised.errno or 0)
    if kind is None:
        return None
    where = f"{raised.filename}: " if raised.filename else ""
    said = str(raised.strerror).removeprefix(f"{_NO_SUCH_BUCKET}: ")
    # This machine's files raise no TimeoutError; and a thread's TimeoutError loses its notes.
    of_archive = kind in {FaultKind.NO_BUCKET, FaultKind.TIMEOUT} or OF_ARCHIVE in getattr(
        raised, "__notes__", ()
    )
    remedy = _REMEDIES[kind] if of_archive else _here(kind, raised.filename)
    return Fault(kind=kind, problem=f"{where}{said}", remedy=remedy)


def _here(kind: FaultKind, filename: object) -> str:
    """Return the remedy for a file of this machine; "" when that of the class is as good."""
    place = f"the file system of {PurePath(str(filename)).parent}" if filename else ""
    match kind:
        case FaultKind.DISK_FULL if place:
            return f"free space on {place}; walsup retries"
        case FaultKind.NO_RIGHTS:
            return "allow this user to read and write there (owner, mode, read-only mount)"
        case FaultKind.SERVER_ERROR:
            return f"check {place or 'the volumes'} and the kernel log"
        case _:
            return ""
