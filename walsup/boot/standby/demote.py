"""Emptying a data directory that was a primary's, to build it anew as a standby (S19).

What only it has is in the archive by then. A mark is written first, so that a start that was cut
off goes on with it, and takes nothing of what is left for a database.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

from walsup import log
from walsup.system.durable_files import write_durable

_MARK = ".walsup-rebuild"
_KEPT = ("lost+found", ".snapshot", _MARK)


def is_due(pgdata: Path) -> bool:
    """Tell whether it was begun and has not ended."""
    return (pgdata / _MARK).exists()


def empty(pgdata: Path) -> None:
    """Remove everything, also from tablespaces and from where pg_wal points to."""
    write_durable(pgdata / _MARK, "")
    # Without it nothing there looks like a database, however far this gets.
    _remove(pgdata / "global")
    for directory in (*_outside(pgdata), pgdata):
        for entry in directory.iterdir():
            if entry.name not in _KEPT:
                _remove(entry)
    (pgdata / _MARK).unlink()
    log.warning("directory.emptied", path=str(pgdata), why="it is built anew as a standby")


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
