"""Empties a data directory of a former primary, to build a standby in it.

Rule role-from-the-archive.

WAL that only this directory has is in the archive by then. A marker file is written first, so that
the next start continues an interrupted removal, and does not take the rest for a database.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

from walsup import log
from walsup.system.durable_files import write_durable

_MARK = ".walsup-rebuild"
_KEPT = ("lost+found", ".snapshot", _MARK)


def is_due(pgdata: Path) -> bool:
    """Return whether the removal has begun and not ended."""
    return (pgdata / _MARK).exists()


def empty(pgdata: Path) -> None:
    """Remove everything, also from tablespaces and from the target of pg_wal."""
    write_durable(pgdata / _MARK, "")
    # Without it nothing there looks like a database, however far the removal gets.
    _remove(pgdata / "global")
    for directory in (*_outside(pgdata), pgdata):
        for entry in directory.iterdir():
            if entry.name not in _KEPT:
                _remove(entry)
    (pgdata / _MARK).unlink()
    log.warning("directory.emptied", path=str(pgdata), why="a standby is built in it")


def _outside(pgdata: Path) -> Iterator[Path]:
    links = [pgdata / "pg_wal"]
    if (pgdata / "pg_tblspc").is_dir():
        links += sorted((pgdata / "pg_tblspc").iterdir())
    for link in links:
        if link.is_symlink() and link.is_dir():
            yield link.resolve()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
