"""The stage (rule stage): a directory inside PGDATA in which a cluster is made before it counts.

When it is cut off before the file `complete` is on disk, everything in it is wiped. Afterwards it
is only moved to its place, `global` last. A half cluster therefore never exists.
"""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from walsup.errors import BootstrapError
from walsup.system.durable_files import sync

STAGE = ".walsup-stage"
DATA = "data"
_COMPLETE = "complete"
_WALDIR = "waldir"
_OUTSIDE = "outside"
# What a file system has in its topmost directory, owned by root.
VOLUMES_OWN = ("lost+found", ".snapshot")


def exists(pgdata: Path) -> bool:
    """Return whether there is a stage, complete or not."""
    return (pgdata / STAGE).is_dir()


def is_complete(pgdata: Path) -> bool:
    """Return whether the stage holds a whole cluster, or the rest of one to move."""
    return (pgdata / STAGE / _COMPLETE).exists()


def begin(pgdata: Path, waldir: Path | None) -> Path:
    """Wipe a cut-off stage, make a new one, and return the directory for initdb.

    `waldir` (empty or absent) is noted first, so that it is wiped with the stage.

    Raises:
        BootstrapError: `waldir` is not empty; it is then not noted.
    """
    stage = pgdata / STAGE
    wipe(pgdata)
    if waldir and waldir.is_dir() and any(waldir.iterdir()):
        raise BootstrapError(
            f"POSTGRES_INITDB_WALDIR {waldir} is not empty",
            hint="name an empty directory that only this database uses; if it holds"
            " WAL, find the database that it belongs to",
        )
    stage.mkdir(mode=0o700)
    if waldir:
        _note(stage / _WALDIR, str(waldir))
    sync(stage)
    sync(pgdata)
    return stage / DATA


def remember_outside(pgdata: Path, directories: Iterable[str]) -> None:
    """Note other directories that a fetch fills (tablespaces): they are emptied with the stage.

    They must be empty or absent before this call.
    """
    stage = pgdata / STAGE
    _note(stage / _OUTSIDE, "\0".join(directories))
    sync(stage)


def filled_beside(pgdata: Path) -> set[str]:
    """Return the names in PGDATA that a cut-off fetch may have filled beside the stage."""
    noted = _read(pgdata / STAGE / _OUTSIDE) if not is_complete(pgdata) else []
    home = os.path.realpath(pgdata)
    inside = [os.path.relpath(os.path.realpath(place), home) for place in noted]
    return {name for place in inside if (name := place.partition("/")[0]) not in ("..", ".")}


def wipe(pgdata: Path) -> None:
    """Remove a stage that is not complete, and what it left in its WAL directory.

    Raises:
        FileExistsError: the stage is complete: it is never wiped.
    """
    stage = pgdata / STAGE
    if is_complete(pgdata):
        raise FileExistsError(stage / _COMPLETE)
    for memory in (stage / _WALDIR, stage / _OUTSIDE):
        for directory in _read(memory):
            _empty(Path(directory))
            if Path(os.path.realpath(directory)).is_relative_to(os.path.realpath(pgdata)):
                with contextlib.suppress(OSError):
                    os.removedirs(directory)
    # The note of the WAL directory is removed last: an interrupted wipe is done again.
    if (stage / DATA).exists():
        _remove_tree(stage / DATA)
    if stage.exists():
        _remove_tree(stage)


def move_names(data: Path, pgdata: Path) -> None:
    """Make files that name the stage name PGDATA: scripts write "$PGDATA/server.crt" and the like.

    Those are configuration files, and the links of tablespaces inside the data directory.
    """
    before, after = os.fsencode(data), os.fsencode(pgdata)
    for path in (*data.glob("*.conf"), *data.glob("*/*.conf")):
        content = path.read_bytes()
        if before in content and not path.is_symlink():
            path.write_bytes(content.replace(before, after))
    for link in (data / "pg_tblspc").iterdir():
        target = link.readlink()
        if target.is_relative_to(data):
            link.unlink()
            link.symlink_to(pgdata / target.relative_to(data))


def complete(pgdata: Path) -> None:
    """Declare the stage complete. Its files must have been synced."""
    stage = pgdata / STAGE
    sync(stage / DATA)
    (stage / _COMPLETE).touch()
    sync(stage / _COMPLETE)
    sync(stage)


def finish(pgdata: Path) -> None:
    """Move a complete stage's content to its place. An interrupted call can be repeated."""
    stage = pgdata / STAGE
    # From here on the WAL directory is the cluster's: no note may name it as one to wipe.
    (stage / _WALDIR).unlink(missing_ok=True)
    (stage / _OUTSIDE).unlink(missing_ok=True)
    for entry in sorted((stage / DATA).iterdir(), key=lambda path: (path.name == "global", path)):
        if entry.name == "global":
            sync(stage)
            sync(pgdata)
        entry.rename(pgdata / entry.name)
    sync(pgdata)
    remove_leftover(pgdata)


def remove_leftover(pgdata: Path) -> None:
    """Remove a stage whose content has been moved: there is a `global` beside it."""
    stage = pgdata / STAGE
    if (pgdata / "global").exists() and stage.exists():
        _remove_tree(stage)
        sync(pgdata)


def _note(path: Path, text: str) -> None:
    """Write by rename: half a path in the note would be another directory to wipe."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text(text, encoding="utf-8", errors="surrogateescape")
    sync(fresh)
    fresh.rename(path)


def _read(memory: Path) -> list[str]:
    try:
        noted = memory.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return []
    return [directory for directory in noted.split("\0") if directory]


def _empty(directory: Path) -> None:
    for entry in directory.iterdir() if directory.is_absolute() and directory.is_dir() else ():
        if entry.name in VOLUMES_OWN:
            continue
        _remove_tree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()


def _remove_tree(path: Path) -> None:
    from shutil import rmtree  # noqa: PLC0415 (2 ms of every start that removes nothing)

    rmtree(path)
