"""Whether each volume has room for what a restore writes to it."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from walsup import units
from walsup.boot.disk_space import existing
from walsup.boot.restore.restore_plan import RestoreRequest, Selection

_WAL_SEGMENTS = 4


def lacking(
    request: RestoreRequest, selection: Selection, space_bytes: Mapping[str, int], pgdata: Path
) -> Iterator[str]:
    """Yield the file systems that are too small, as far as the base backup lists its sizes."""
    needed: dict[int, int] = {}
    places: dict[int, list[Path]] = {}
    wal_bytes = _WAL_SEGMENTS * selection.first.size
    home = _device(pgdata)
    of_spaces = 0
    for number, directory in selection.backup.tablespaces:
        device = _device(Path(directory))
        size = space_bytes.get(number, 0)
        if device != home:
            of_spaces += size
            needed[device] = needed.get(device, 0) + size
            places.setdefault(device, []).append(Path(directory))
    for place, size in (
        (pgdata, max(0, selection.size_bytes - of_spaces)),
        (_wal(request), wal_bytes),
    ):
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
                f"the file system of {named} has {units.show_bytes(free_bytes)} free, but the"
                f" restore needs at least {units.show_bytes(size)}"
            )


def unknown(selection: Selection, space_bytes: Mapping[str, int], pgdata: Path) -> Iterator[str]:
    """Report tablespaces on other volumes whose size is not known."""
    for number, directory in selection.backup.tablespaces:
        place = Path(directory)
        if _device(place) != _device(pgdata) and not space_bytes.get(number):
            disk = os.statvfs(existing(place))
            free = units.show_bytes(disk.f_bavail * disk.f_frsize)
            yield (f"the size of the tablespace in {directory} is not known; {free} are free there")


def _wal(request: RestoreRequest) -> Path | None:
    """Return where pg_wal will be, None: in the data directory."""
    if request.waldir is not None:
        return request.waldir
    inside = request.pgdata / "pg_wal" if request.pgdata else None
    return inside if inside is not None and inside.exists() else None


def _device(place: Path) -> int:
    return existing(place).stat().st_dev
