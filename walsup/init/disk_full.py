"""Whether postgres ended because a disk is full (S25), told by what is free after its end."""

# ruff: noqa: PTH118, PTH208 -- pathlib would cost PID 1 a megabyte

import os

from walsup.errors import DiskFullError

_SEGMENT_NAME_LENGTH = 24
_USUAL_SEGMENT_BYTES = 16 << 20
# Below this postgres cannot write its lock file, let alone a page of a table.
_LEAST_BYTES = 64 << 10
_MIB = 1 << 20
# What the end of recovery may write before anything can be archived.
_SEGMENTS_TO_START = 2


def full(pgdata: str) -> "DiskFullError | None":
    """Name the file system that is full and the space needed; None when none is.

    postgres fills a new segment with zeros; when that fails it takes the piece away again, so what
    is free afterwards is less than a segment, not nothing.
    """
    pg_wal = os.path.join(pgdata, "pg_wal")
    segment_bytes = _segment_bytes(pg_wal)
    for place, least_bytes in ((pg_wal, segment_bytes), (pgdata, _LEAST_BYTES)):
        try:
            found = os.statvfs(place)
        except OSError:
            continue
        free_bytes = found.f_bavail * found.f_frsize
        if free_bytes < least_bytes:
            needed_mib = (_SEGMENTS_TO_START * segment_bytes - free_bytes) // _MIB + 1
            return DiskFullError(
                f"the file system of {os.path.realpath(place)} is full: {free_bytes // 1024} kB are"
                f" free, and a start needs {needed_mib} MB more",
                hint="make the volume larger, or let the archive take WAL again (`walsup status`"
                " says what is wrong with it), and start again; remove nothing from pg_wal by hand",
            )
    return _without_room([pg_wal, pgdata, *_tablespaces(pgdata)])


def _without_room(places: "list[str]") -> "DiskFullError | None":
    for place in places:
        try:
            found = os.statvfs(place)
        except OSError:
            continue
        what = f"{found.f_bavail * found.f_frsize // 1024} kB are free"
        if found.f_files and not found.f_favail:
            what = "it has no inode left"
        elif found.f_bavail * found.f_frsize >= _LEAST_BYTES:
            continue
        return DiskFullError(
            f"the file system of {os.path.realpath(place)} is full: {what}",
            hint="make the volume larger, or remove what is not PostgreSQL's, and start again",
        )
    return None


def _tablespaces(pgdata: str) -> "list[str]":
    folder = os.path.join(pgdata, "pg_tblspc")
    try:
        return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    except OSError:
        return []


def _segment_bytes(pg_wal: str) -> int:
    try:
        with os.scandir(pg_wal) as entries:
            for entry in entries:
                if len(entry.name) == _SEGMENT_NAME_LENGTH:
                    return entry.stat().st_size or _USUAL_SEGMENT_BYTES
    except OSError:
        pass
    return _USUAL_SEGMENT_BYTES
