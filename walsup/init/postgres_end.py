"""What PID 1 finds out and records after postgres has ended: the agent may be dead.

The next start accepts a pg_control that says "shut down" without the agent's note when the file has
exactly the bytes that PID 1 recorded: then no server was started in between.
"""

# ruff: noqa: PTH105, PTH118, PTH120, PTH123, PTH208 -- pathlib would cost PID 1 a megabyte

import os

from walsup import log
from walsup.errors import DiskFullError
from walsup.init.children import spawn

FILE = ".walsup-ended"
CONTROL_BYTES = 512  # Source: PostgreSQL 11 to 18, pg_control.h, PG_CONTROL_MAX_SAFE_SIZE
_SEGMENT_NAME_LENGTH = 24
_USUAL_SEGMENT_BYTES = 16 << 20
# Below this postgres cannot write its lock file, let alone a page of a table.
_LEAST_BYTES = 64 << 10
_MIB = 1 << 20
# What the end of recovery may write before anything can be archived.
_SEGMENTS_TO_START = 2


def note(pgdata: str, boot: str) -> int:
    """Record pg_control as the run `boot` has left it, in a child: the disk may hang.

    Returns the child's pid; 0: there is none.
    """
    try:
        with open(os.path.join(pgdata, "global", "pg_control"), "rb") as file:
            text = f"{boot} {file.read(CONTROL_BYTES).hex()}\n"
        return spawn.fork_into(lambda: _write(os.path.join(pgdata, FILE), text))
    except OSError as fault:
        log.warning("end.not_noted", problem=str(fault))
        return 0


def _write(path: str, text: str) -> int:
    try:
        descriptor = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        os.replace(path + ".new", path)
        folder = os.open(os.path.dirname(path), os.O_RDONLY)
        os.fsync(folder)
    except OSError as fault:
        log.warning("end.not_noted", problem=str(fault))
        return 1
    return 0


def full_disk(pgdata: str) -> "DiskFullError | None":
    """Return an error with the file system that is full and the space needed, else None.

    postgres fills a new segment with zeros; when that fails it takes the piece away again, so what
    is free afterwards is less than a segment, not nothing.
    """
    pg_wal = os.path.join(pgdata, "pg_wal")
    segment_bytes = _segment_bytes(pg_wal)
    for place, least_bytes in ((pg_wal, segment_bytes), (pgdata, _LEAST_BYTES)):
        try:
            space = os.statvfs(place)
        except OSError:
            continue
        free_bytes = space.f_bavail * space.f_frsize
        if free_bytes < least_bytes:
            needed_mib = (_SEGMENTS_TO_START * segment_bytes - free_bytes) // _MIB + 1
            return DiskFullError(
                f"the file system of {os.path.realpath(place)} is full: {free_bytes // 1024}"
                f" kB are free, but a start needs {needed_mib} MB more",
                hint="make the volume larger, or make archiving work again (`walsup"
                " status` shows what is wrong), then start again; do not remove files"
                " from pg_wal",
            )
    return _without_room([pg_wal, pgdata, *_tablespaces(pgdata)])


def _without_room(places: "list[str]") -> "DiskFullError | None":
    for place in places:
        try:
            space = os.statvfs(place)
        except OSError:
            continue
        what = f"{space.f_bavail * space.f_frsize // 1024} kB are free"
        if space.f_files and not space.f_favail:
            what = "no inode is free"
        elif space.f_bavail * space.f_frsize >= _LEAST_BYTES:
            continue
        return DiskFullError(
            f"the file system of {os.path.realpath(place)} is full: {what}",
            hint="make the volume larger, or remove files that are not PostgreSQL's, then"
            " start again",
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
