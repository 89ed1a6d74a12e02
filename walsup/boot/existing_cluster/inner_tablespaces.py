"""Tablespaces that lie inside the data directory: postgres only warns of them.

A base backup has their files twice, below pg_tblspc and as a directory of the data directory. The
first copy is fetched beside the other in the stage, and takes its place when that is whole.
"""

import os
import shutil
from pathlib import Path

from walsup.archive.catalog.listing import Backup
from walsup.boot import staging

_MAP = "tablespace_map"


def inside(pgdata: Path | None, backup: Backup, engine: str) -> dict[str, Path]:
    """Return where in a data directory tablespaces of a base backup lie, by their numbers.

    `pgdata`: the one that is restored into, by any of its names; None: it is not known. WAL-RUS
    fetches each to where it was, so of another data directory's it leaves them there.
    """
    found = {}
    for number, directory in backup.tablespaces:
        relative = _below(directory, backup.data_dir) if engine == "wal-g" else None
        if relative is None and pgdata is not None:
            relative = _below(os.path.realpath(directory), os.path.realpath(pgdata))
        if relative is not None:
            found[number] = relative
    return found


def fetched_to(pgdata: Path, backup: Backup, engine: str) -> tuple[tuple[str, str], ...]:
    """Return number and directory of each tablespace as it is fetched."""
    within = inside(pgdata, backup, engine) if engine == "wal-g" else {}
    spaces = pgdata / staging.STAGE / "spaces"
    return tuple(
        (number, str(spaces / number) if number in within else directory)
        for number, directory in backup.tablespaces
    )


def place(pgdata: Path, data: Path, backup: Backup, engine: str) -> None:
    """Put what was fetched of them into its place in the copy, and let links lead there."""
    fetched = dict(fetched_to(pgdata, backup, engine))
    for number, relative in inside(pgdata, backup, engine).items():
        there, link = data / relative, data / "pg_tblspc" / number
        if there.is_dir() and not there.is_symlink():
            shutil.rmtree(there)
        there.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        Path(fetched[number]).rename(there)
        if link.is_symlink():
            link.unlink()
            link.symlink_to(pgdata / relative)
        _change_map(data / _MAP, number, pgdata / relative)


def _change_map(path: Path, number: str, place: Path) -> None:
    """Name another directory to postgres, which makes the link by this file.

    Source: PostgreSQL 15, xlog.c, do_pg_backup_start: a backslash stands before line breaks.
    """
    if not path.exists():
        return
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    told = str(place).replace("\\", "\\\\").replace("\n", "\\\n").replace("\r", "\\\r")
    lines = [line for line in text.split("\n") if line and line.partition(" ")[0] != number]
    path.write_text(
        "\n".join([*lines, f"{number} {told}", ""]), encoding="utf-8", errors="surrogateescape"
    )


def _below(directory: str, parent: str) -> Path | None:
    if not parent or not Path(directory).is_relative_to(parent):
        return None
    relative = Path(directory).relative_to(parent)
    return relative if relative.parts and ".." not in relative.parts else None
