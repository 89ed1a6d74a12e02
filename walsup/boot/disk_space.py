"""Whether each volume has room for what a restore or an initdb puts on it."""

import os
from collections.abc import Iterator
from pathlib import Path

from walsup import units
from walsup.boot.restore.report import Asked, Report

_WAL_SEGMENTS = 4
# Source: strerror of ENOSPC and EDQUOT in the C locale.
_FULL = ("No space left on device", "Disk quota exceeded")


def says_full(text: str) -> bool:
    """Return whether a program's last words say that there was no room."""
    return any(words in text for words in _FULL)


def lacking(asked: Asked, report: Report, pgdata: Path) -> Iterator[str]:
    """Say which file systems are too small, as far as the base backup tells what goes there."""
    backup = report.backup
    if backup is None:
        return
    needed: dict[int, int] = {}
    places: dict[int, list[Path]] = {}
    wal_bytes = _WAL_SEGMENTS * (report.first.size if report.first else 0)
    home = _device(pgdata)
    of_spaces = 0
    for number, directory in backup.tablespaces:
        device = _device(Path(directory))
        size = report.space_bytes.get(number, 0)
        if device != home:
            of_spaces += size
            needed[device] = needed.get(device, 0) + size
            places.setdefault(device, []).append(Path(directory))
    for place, size in ((pgdata, max(0, report.size_bytes - of_spaces)), (_wal(asked), wal_bytes)):
        device = _device(place or pgdata)
        needed[device] = needed.get(device, 0) + size
        if place is not None:
            places.setdefault(device, []).append(place)
    for device, size in needed.items():
        disk = os.statvfs(existing(places[device][0]))
        free_bytes = disk.f_bavail * disk.f_frsize
        if free_bytes < size:
            named = ", ".join(dict.fromkeys(str(place) for place in places[device]))
            yield (
                f"the file system of {named} has {units.show_bytes(free_bytes)} free, the"
                f" restore needs {units.show_bytes(size)} at the least"
            )


def unknown(report: Report, pgdata: Path) -> Iterator[str]:
    """Say of which tablespaces on other volumes the size is not known."""
    for number, directory in report.backup.tablespaces if report.backup else ():
        place = Path(directory)
        if _device(place) != _device(pgdata) and not report.space_bytes.get(number):
            disk = os.statvfs(existing(place))
            free = units.show_bytes(disk.f_bavail * disk.f_frsize)
            yield f"how large the tablespace in {directory} is is not known; {free} are free there"


def _wal(asked: Asked) -> Path | None:
    """Give where pg_wal is to be, None: in the data directory."""
    if asked.waldir is not None:
        return asked.waldir
    inside = asked.pgdata / "pg_wal" if asked.pgdata else None
    return inside if inside is not None and inside.exists() else None


def _device(place: Path) -> int:
    return existing(place).stat().st_dev


def existing(place: Path) -> Path:
    """Give a directory, or the nearest one above it that is there."""
    while not place.exists():
        place = place.parent
    return place
