"""What this machine must be for a restore: the major version, the room, the directories."""

import os
from collections.abc import Iterator
from pathlib import Path

from walsup import units
from walsup.boot import libraries
from walsup.boot.report import Asked, Report
from walsup.postgres import guc

_WAL_SEGMENTS = 4
_OLDEST = 12  # before it recovery was told in a file of its own


def unfit(asked: Asked, report: Report) -> Iterator[str]:
    """Say what does not fit."""
    backup = report.backup
    if backup is None:
        return
    major = str(backup.pg_version // 10000) if backup.pg_version else None
    if asked.major and major and asked.major != major:
        yield (
            f"base backup {backup.name} is of PostgreSQL {major}, the programs here are of"
            f" {asked.major}: run it with PostgreSQL {major}"
        )
    if asked.major and asked.major.partition(".")[0].isdecimal() and float(asked.major) < _OLDEST:
        yield f"a restore by walsup needs PostgreSQL {_OLDEST} or newer, this is {asked.major}"
    if asked.pkglibdir and (lacking := libraries.missing(backup.preloads, asked.pkglibdir)):
        yield (
            f"base backup {backup.name} is of a cluster that loads {', '.join(lacking)}"
            f" ({guc.PRELOADED}), which {asked.pkglibdir} does not have: use an image with"
            f" these extensions, or start it with -c {guc.PRELOADED}=…"
        )
    if asked.pgdata is None:
        return
    disk = os.statvfs(asked.pgdata)
    free_bytes = disk.f_bavail * disk.f_frsize
    needed_bytes = report.size_bytes + _WAL_SEGMENTS * (report.first.size if report.first else 0)
    if free_bytes < needed_bytes:
        yield (
            f"the file system of {asked.pgdata} has {units.show_bytes(free_bytes)} free, the"
            f" restore needs {units.show_bytes(needed_bytes)} at the least"
        )
    for _, directory in backup.tablespaces:
        if problem := _unusable(Path(directory)):
            yield f"the tablespace in {directory} cannot be made: {problem}"


def _unusable(directory: Path) -> str:
    try:
        if any(directory.iterdir()):
            return "the directory is not empty; move away what is in it"
    except FileNotFoundError:
        above = directory.parent
        while not above.exists():
            above = above.parent
        if not os.access(above, os.W_OK):
            return f"{above} may not be written by this user; mount a volume there"
        return ""
    except OSError as fault:
        return str(fault.strerror).lower()
    return "" if os.access(directory, os.W_OK) else "it may not be written by this user"
