"""Empties a data directory of a former primary, to build a standby in it.

Rule role-from-the-archive.

WAL that only this directory has is in the archive by then. A marker file is written first, so that
the next start continues an interrupted removal, and does not take the rest for a database.
"""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from walsup import log, units
from walsup.datadir import directory_users
from walsup.errors import DataDirectoryError
from walsup.system.durable_files import write_durable

_MARK = ".walsup-rebuild"
_KEPT = (*directory_users.VOLUMES_OWN, _MARK)


def is_due(pgdata: Path) -> bool:
    """Return whether the removal has begun and not ended."""
    return (pgdata / _MARK).exists()


def empty(pgdata: Path) -> None:
    """Remove everything, also from tablespaces and from the target of pg_wal.

    Raises:
        DataDirectoryError: one of these is not proven to be this data directory's; nothing has
            been removed.
    """
    outside = list(_outside(pgdata))
    for directory in outside:
        if problem := _not_own(directory, pgdata):
            raise DataDirectoryError(
                f"the data directory {pgdata} of a former primary must be emptied to build a"
                f" standby in it, but its link leads to {directory}: {problem}",
                hint=f"nothing was deleted; if another server uses {directory}, delete only the"
                f" content of {pgdata}; if none does, delete the content of both; then start again",
            )
    write_durable(pgdata / _MARK, "")
    # Without it nothing there looks like a database, however far the removal gets.
    _remove(pgdata / "global")
    for directory in (*outside, pgdata):
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


def _not_own(directory: Path, pgdata: Path) -> str:
    """Return what is there and is not proven to be this data directory's, "" without such."""
    if directory.is_relative_to(pgdata.resolve()):
        return ""
    try:
        names = directory_users.content(directory)
        user = _other_user(directory, pgdata, names) if names else ""
    except OSError as fault:
        return f"{fault.filename or directory}: {str(fault.strerror).lower()}"
    return f"{user} (it holds {units.abbreviate(names)})" if user else ""


def _other_user(directory: Path, pgdata: Path, names: Sequence[str]) -> str:
    if directory_users.is_locked(directory):
        return "another running server uses it"
    if len([name for name in names if name.startswith("PG_")]) > 1:
        return "it has files of several servers"
    user = directory_users.of(directory)
    if not user:
        return "it is not known which data directory uses it"
    is_own = user == directory_users.data_directory(pgdata)
    return "" if is_own else "another data directory has used it since"


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
