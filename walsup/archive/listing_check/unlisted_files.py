"""Files of a data directory that a base backup's own list of files does not name.

Source: WAL-G 3.0.8 and WAL-RUS 0.4.1: their lists were compared with the directory, and leave out
only what is named here. Runs in the audit's process, because the list takes much memory.
"""

import heapq
import os
import re
from array import array
from bisect import bisect_left
from collections.abc import Container, Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from walsup.postgres.backup_exclusions import EMPTIED

_NOT_COPIED = frozenset(
    (
        *("global/pg_control", "postmaster.pid", "postmaster.opts", "backup_manifest"),
        *("backup_label", "tablespace_map", "backup_label.old", "tablespace_map.old"),
    )
)
_EMPTIED = EMPTIED | {"pg_serial", "pg_snapshots"}
# Caches that postgres creates again, temporary files and relations, and walsup's own files.
_PASSING = re.compile(
    r"pg_internal\.init(\.\d+)?|pgsql_tmp.*|t\d+_\d+.*|.*\.tmp|\.walsup-.*|\.wal-g"
    # WAL-G leaves these out at any depth: logs, and the files of a recovery.
    r"|log|pg_log|pg_xlog|recovery\.conf|recovery\.signal|standby\.signal"
)
_SPACES = "pg_tblspc"
_MOST = 20
_FOLDERS = 4096


class Places:
    """Resolves a file's name to its real path, so that two names of one file are equal.

    A tablespace's file has two names when the tablespace is in the data directory or in another
    tablespace's directory: the engine may list either.
    """

    def __init__(self, pgdata: Path) -> None:
        self._folder = lru_cache(_FOLDERS)(lambda folder: os.path.realpath(pgdata / folder))

    def real(self, name: str) -> str:
        """Return the path of a file by its name in the data directory."""
        folder, _, file = name.rpartition("/")
        return f"{self._folder(folder)}/{file}"


class Names:
    """A set of very many names, at eight bytes each; equal hashes of two are improbable."""

    def __init__(self) -> None:
        self._hashes = array("q")
        self._is_sorted = True

    def __len__(self) -> int:
        return len(self._hashes)

    def __contains__(self, name: object) -> bool:
        if not self._is_sorted:
            self._hashes = array("q", sorted(self._hashes))
            self._is_sorted = True
        wanted = hash(name)
        at = bisect_left(self._hashes, wanted)
        return at < len(self._hashes) and self._hashes[at] == wanted

    def add(self, names: Iterable[str]) -> None:
        """Add names."""
        self._hashes.extend(hash(name) for name in names)
        self._is_sorted = False


def unlisted(
    pgdata: Path, listed: Container[str], before: float, places: Places | None = None
) -> list[str]:
    """Return the paths of regular files that are not listed, the first of them in order.

    `places`: resolves the real paths under which files are listed. `before`: only files that have
    not changed since this time (of the directory's file system, Unix seconds) count, because others
    may be younger than the base backup.

    `before`: only files that have not changed since this time (of the directory's file system,
    Unix seconds) count: others may be younger than the base backup.
    """
    found = (
        path
        for path in _files(str(pgdata), "", before)
        if (places.real(path) if places else path) not in listed
    )
    return heapq.nsmallest(_MOST, found)


def _files(directory: str, above: str, before: float) -> Iterator[str]:
    try:
        entries = os.scandir(directory)
    except OSError:
        return
    with entries:
        for entry in entries:
            path = above + entry.name
            if path in _NOT_COPIED or _PASSING.fullmatch(entry.name):
                continue
            if not above and entry.name in _EMPTIED:
                continue
            is_space = above == f"{_SPACES}/" and entry.name.isdecimal()
            if entry.is_dir(follow_symlinks=is_space):
                yield from _files(entry.path, f"{path}/", before)
            elif entry.is_file(follow_symlinks=False) and _is_older(entry, before):
                yield path


def _is_older(entry: "os.DirEntry[str]", before: float) -> bool:
    try:
        return entry.stat(follow_symlinks=False).st_ctime < before
    except OSError:
        return False
