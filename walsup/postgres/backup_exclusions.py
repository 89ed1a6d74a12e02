"""The files that a base backup leaves out of a data directory, or cannot read.

Source: WAL-G 3.0.8, WAL-RUS 0.4.1 and pg_basebackup 15, tried with each kind of file. All three
leave out links (except those of pg_tblspc and pg_wal), pipes and devices without an error, and fail
at a file that they cannot read. WAL-G also fails at a socket, and at a name that is not UTF-8.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

# Created again by walsup or postgres, whatever their content.
EMPTIED = frozenset(
    ("pg_wal", "pg_replslot", "pg_dynshmem", "pg_notify", "pg_stat_tmp", "pg_subtrans")
)
_OURS = (".walsup-", "pgsql_tmp")
# Without any of these the restored database has lost data.
_OF_DATA = frozenset(
    (
        *("PG_VERSION", "base", "global", "pg_commit_ts", "pg_logical", "pg_multixact"),
        *("pg_tblspc", "pg_twophase", "pg_xact"),
    )
)
_SPACES = "pg_tblspc"
LINK, UNREADABLE, SOCKET, NAME, MORE = "link", "unreadable", "socket", "name", "more"
FILE = "file"
_SPECIAL = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: SOCKET, stat.S_IFCHR: "device"}
_SHOWN = 5


class LeftOut(NamedTuple):
    """A file of the data directory, by its path in it, that a base backup lacks.

    `kind`: `link`, `pipe`, `socket`, `device`, `unreadable`, `name` (not UTF-8), or `file` (a
    regular one that is not in the base backup's list). `target`: of a link, relative if it leads to
    a place in the data directory; `dangling`: it leads nowhere. `more`: the number of others that
    are not named.
    """

    path: str
    kind: str
    target: str = ""
    dangling: bool = False

    @property
    def is_data(self) -> bool:
        """Return whether it is data of the cluster, so that a restore without it loses some."""
        return self.path.partition("/")[0] in _OF_DATA

    @property
    def shown(self) -> str:
        """Return a description for an operator."""
        match self.kind:
            case "link":
                return f"{self.path} (a link to {self.target})"
            case "unreadable":
                return f"{self.path} ({self.target})"
            case "name":
                return f"{self.path} (its name is not UTF-8)"
            case "file":
                return self.path
            case "more":
                return f"{self.path} more"
            case kind:
                return f"{self.path} (a {kind})"


def shown(found: Iterable[LeftOut]) -> str:
    """Return a description of some of them."""
    listed = list(found)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(one.shown for one in listed[:_SHOWN]) + more


def walk(pgdata: Path) -> list[LeftOut]:
    """Return what an engine's base backup leaves out or cannot read, in order of the paths."""
    return sorted(_walk(str(pgdata), str(pgdata), ""))


def _walk(pgdata: str, directory: str, before: str) -> Iterator[LeftOut]:
    try:
        entries = os.scandir(directory)
    except FileNotFoundError:
        return
    except OSError:
        yield LeftOut(_text(before.rstrip("/")), UNREADABLE, _owner(directory))
        return
    # One file at a time: for many relations a list would take more memory than the agent has.
    with entries:
        for entry in entries:
            path = before + entry.name
            if (not before and entry.name in EMPTIED) or entry.name.startswith(_OURS):
                continue
            try:
                yield from _look(pgdata, entry, path)
            except FileNotFoundError:
                continue


def _look(pgdata: str, entry: "os.DirEntry[str]", path: str) -> Iterator[LeftOut]:
    text = _text(path)
    if text != path:
        yield LeftOut(text, NAME)
    if entry.is_symlink():
        if path.startswith(f"{_SPACES}/") and entry.name.isdecimal():
            yield from _walk(pgdata, entry.path, f"{path}/")
            return
        yield _link(pgdata, entry.path, path)
    elif entry.is_dir(follow_symlinks=False):
        yield from _walk(pgdata, entry.path, f"{path}/")
    elif not entry.is_file(follow_symlinks=False):
        mode = stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode)
        yield LeftOut(text, _SPECIAL.get(mode, "device"))
    elif not os.access(entry.path, os.R_OK) and os.path.lexists(entry.path):
        yield LeftOut(text, UNREADABLE, _owner(entry.path))


def _link(pgdata: str, place: str, path: str) -> LeftOut:
    target = str(Path(place).readlink())
    if target.startswith(f"{pgdata}/"):
        target = os.path.relpath(target, Path(place).parent)
    return LeftOut(_text(path), LINK, _text(target), not Path(place).exists())


def _owner(place: str) -> str:
    try:
        found = os.lstat(place)
    except OSError as fault:
        return str(fault.strerror)
    return f"owner {found.st_uid}, mode {stat.S_IMODE(found.st_mode):04o}"


def _text(path: str) -> str:
    """Return the path in a form that JSON can contain."""
    return os.fsencode(path).decode(errors="backslashreplace")
