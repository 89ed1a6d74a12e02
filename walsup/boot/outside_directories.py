"""The directories outside the stage that a stage fills: tablespaces, and the WAL directory.

They are marked and noted before they are filled, and emptied with the stage. One whose mark is
another, or that a running server has locked, is another user's by now: it is left as it is.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from walsup import log, units
from walsup.datadir import directory_users
from walsup.errors import DataDirectoryError
from walsup.system.durable_files import sync

# Where no mark can be put, only the process that has filled a directory empties it.
_PROCESS = os.urandom(8).hex()


class Noted(NamedTuple):
    """One directory; `mark` is "" where none could be put, `inode` 0 where nothing is known."""

    path: str
    inode: int = 0
    mark: str = ""
    process: str = ""


def note(memory: Path, directories: Iterable[str]) -> None:
    """Mark directories that are about to be filled, then note them; absent ones are created.

    Raises:
        DataDirectoryError: one of them is not empty; OSError: one cannot be read.
    """
    places, mark = [Path(directory) for directory in directories], directory_users.new_stage()
    for place in places:  # all before the first is created: one may be inside another
        _check_empty(place)
    noted = [_mark(place, mark) for place in places]
    fresh = memory.with_name(f"{memory.name}.new")
    fresh.write_text(json.dumps(noted), encoding="utf-8")
    sync(fresh)
    fresh.rename(memory)  # half a path in the note would be another directory to empty


def read(memory: Path) -> list[Noted]:
    """Return what is noted; of a note by an older walsup only the paths are known."""
    try:
        text = memory.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return []
    try:
        found = json.loads(text)
        return [Noted(str(a), int(b), str(c), str(d)) for a, b, c, d in found]
    except (ValueError, TypeError):
        return [Noted(directory) for directory in text.split("\0") if directory[:1] == "/"]


def empty(noted: Iterable[Noted]) -> None:
    """Empty the directories that the stage has filled. Any other one is only reported."""
    ours, others = [], []
    for one in noted:
        why, names = _not_ours(one)
        if why:
            others.append(os.path.realpath(one.path))
            holds = units.abbreviate(names)
            log.warning("stage.not_emptied", path=one.path, why=why, holds=holds)
        else:
            ours.append(Path(one.path))
    for directory in ours:
        real = os.path.realpath(directory)
        if any(Path(other).is_relative_to(real) for other in others):
            continue  # it holds the directory of another user
        for name in directory_users.content(directory):
            remove(directory / name)


def remove(path: Path) -> None:
    """Remove a file, a link or a tree."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    from shutil import rmtree  # noqa: PLC0415 (2 ms of every start that removes nothing)

    rmtree(path)


def _check_empty(directory: Path) -> None:
    if names := directory_users.content(directory):
        raise DataDirectoryError(
            f"the directory {directory} is to be filled, but is not empty: it holds"
            f" {units.abbreviate(names)}",
            hint="nothing in it was deleted; mount an empty volume there that only this database"
            " uses; or, if no database uses these files, move them away",
        )


def _mark(directory: Path, mark: str) -> Noted:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return Noted(str(directory))  # the program that fills it reports why it cannot
    is_marked = directory_users.put(directory, mark)
    inode = directory.stat().st_ino
    return Noted(str(directory), inode, mark if is_marked else "", _PROCESS)


def _not_ours(noted: Noted) -> tuple[str, list[str]]:
    """Return why this is not what the stage has filled, and what it holds; "" if it is empty."""
    directory = Path(noted.path)
    try:
        names = directory_users.content(directory)
        return (_other_user(directory, noted) if names else ""), names
    except OSError as fault:
        return str(fault.strerror).lower(), []


def _other_user(directory: Path, noted: Noted) -> str:
    if directory_users.is_locked(directory):
        return "a running server uses it"
    if directory.stat().st_ino != noted.inode:
        return "it is not known to be the directory that was filled"
    if noted.mark:
        is_ours = directory_users.of(directory) == noted.mark
        return "" if is_ours else "another database has used it since"
    return "" if noted.process == _PROCESS else "it could not be marked as this database's"
