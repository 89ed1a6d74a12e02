"""The stage (rule stage): a directory inside PGDATA in which a cluster is made before it counts.

When it is cut off before the file `complete` is on disk, everything in it is wiped. Afterwards it
is only moved to its place, `global` last. A half cluster therefore never exists.
"""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from walsup import units
from walsup.boot import outside_directories
from walsup.errors import BootstrapError
from walsup.system.durable_files import sync

STAGE = ".walsup-stage"
DATA = "data"
_COMPLETE = "complete"
_WALDIR = "waldir"
_OUTSIDE = "outside"


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
    if waldir and waldir.is_dir() and (names := sorted(path.name for path in waldir.iterdir())):
        raise BootstrapError(
            f"POSTGRES_INITDB_WALDIR {waldir} is not empty: it holds {units.abbreviate(names)}",
            hint="name an empty directory that only this database uses; if it holds"
            " WAL, find the database that it belongs to",
        )
    stage.mkdir(mode=0o700)
    if waldir:
        outside_directories.note(stage / _WALDIR, [str(waldir)])
    sync(stage)
    sync(pgdata)
    return stage / DATA


def remember_outside(pgdata: Path, directories: Iterable[str]) -> None:
    """Note other directories that a fetch fills (tablespaces): they are emptied with the stage.

    Raises:
        DataDirectoryError: one of them is not empty; OSError: one cannot be read.
    """
    stage = pgdata / STAGE
    outside_directories.note(stage / _OUTSIDE, directories)
    sync(stage)


def filled_beside(pgdata: Path) -> set[str]:
    """Return the names in PGDATA that a cut-off fetch may have filled beside the stage."""
    memory = pgdata / STAGE / _OUTSIDE
    noted = outside_directories.read(memory) if not is_complete(pgdata) else []
    home = os.path.realpath(pgdata)
    inside = [os.path.relpath(os.path.realpath(one.path), home) for one in noted]
    return {name for place in inside if (name := place.partition("/")[0]) not in ("..", ".")}


def wipe(pgdata: Path) -> None:
    """Remove a stage that is not complete, and what it left in the directories that it noted.

    What another database uses by now, or was mounted since, is neither removed nor noted any more.

    Raises:
        FileExistsError: the stage is complete: it is never wiped.
    """
    stage = pgdata / STAGE
    if is_complete(pgdata):
        raise FileExistsError(stage / _COMPLETE)
    notes = (stage / _WALDIR, stage / _OUTSIDE)
    noted = [one for memory in notes for one in outside_directories.read(memory)]
    outside_directories.empty(noted)
    for one in noted:
        if Path(os.path.realpath(one.path)).is_relative_to(os.path.realpath(pgdata)):
            with contextlib.suppress(OSError):
                os.removedirs(one.path)
    # The note of the WAL directory is removed last: an interrupted wipe is done again.
    if (stage / DATA).exists():
        outside_directories.remove(stage / DATA)
    if stage.exists():
        outside_directories.remove(stage)


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
        outside_directories.remove(stage)
        sync(pgdata)
