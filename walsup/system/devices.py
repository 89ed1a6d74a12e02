"""What a directory lies on, and whether two directories are lost together. Standard library only.

The file system's number tells most: bind mounts, links and sub-directories have the same. A
sub-volume has another one, so what is mounted there is compared as well.
"""

import contextlib
import os
import re
from collections.abc import Mapping
from typing import NamedTuple

_MOUNTS = "/proc/self/mountinfo"
_FIELDS_BEFORE_OPTIONAL = 6
_OF_A_SERVER = ("nfs", "nfs4", "cifs", "smb3", "ceph", "glusterfs", "9p")
_OF_A_POOL = ("zfs",)


class Device(NamedTuple):
    """The number of a directory's file system, and what is mounted there: its kind and source."""

    number: int
    kind: str = ""
    source: str = ""


def device(directory: str) -> Device:
    """Return what a directory lies on, links followed; it may hang where that is a dead server.

    Raises:
        OSError: it is not there.
    """
    number = os.stat(directory).st_dev  # noqa: PTH116 (the archive's process has no pathlib)
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
            kind, source = mounted(file.read(), os.path.realpath(directory))
    except OSError:
        return Device(number)
    return Device(number, kind, source)


def mounted(mountinfo: str, path: str) -> tuple[str, str]:
    """Return kind and source of the mount that a path without links lies on, "" when unknown."""
    found, longest = ("", ""), -1
    for line in mountinfo.splitlines():
        before, separator, after = line.partition(" - ")
        fields, rest = before.split(" "), after.split(" ")
        if not separator or len(fields) < _FIELDS_BEFORE_OPTIONAL:
            continue
        point = _unescaped(fields[4]).rstrip("/")
        if (
            f"{path}/".startswith(f"{point}/") and len(point) >= longest
        ):  # the last one hides others
            found, longest = (rest[0], _unescaped(rest[1])), len(point)
    return found


def lost_together(one: Device, other: Device) -> bool:
    """Return whether the loss of one is the loss of the other."""
    if one.number == other.number:
        return True
    if one.kind != other.kind or not one.source or not other.source:
        return False
    if one.kind in _OF_A_POOL:
        return one.source.partition("/")[0] == other.source.partition("/")[0]
    names_a_device = one.source.startswith("/dev/") or one.kind in _OF_A_SERVER
    return names_a_device and one.source == other.source


def shared(archive: Device, parts: Mapping[str, Device]) -> str:
    """Return the first of the data directory's parts that is lost with the archive, "" if none."""
    return next((path for path, own in parts.items() if lost_together(archive, own)), "")


def parts(pgdata: str) -> dict[str, Device]:
    """Return what the data directory, its WAL and its tablespaces lie on.

    Raises:
        OSError: the data directory is not made yet.
    """
    found = {path: device(path) for path in (pgdata, f"{pgdata}/pg_wal")}
    with os.scandir(f"{pgdata}/pg_tblspc") as tablespaces:
        for link in tablespaces:
            with contextlib.suppress(FileNotFoundError):  # dropped meanwhile
                found[link.path] = device(link.path)
    return found


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)
