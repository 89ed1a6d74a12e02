"""Tablespaces that lie inside the data directory: postgres only warns about them.

WAL-RUS stores their files twice in a base backup: below pg_tblspc, and as a directory of the data
directory. WAL-G stores them only in that directory, or twice when PGDATA is a link. Before the copy
is made ready, the fetched files of both are collected in one place. Afterwards they are moved into
their place in the copy. No fetched file is removed.

Source: WAL-G 3.0.9, tablespace_spec.go, makeTablespaceSymlinkPath; and both engines' archives.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from walsup.archive.catalog.base_backups import Backup
from walsup.boot import staging
from walsup.errors import ArchiveError

_MAP = "tablespace_map"
_LINKS = "pg_tblspc"
_VERSIONS = "PG_*"


def inside(pgdata: Path | None, backup: Backup, engine: str) -> dict[str, Path]:
    """Return where in a data directory the tablespaces of a base backup are, by their numbers.

    Outer ones come first. `pgdata`: the directory that is restored into, by any of its names; None:
    not known. WAL-RUS fetches each tablespace to its old place, so those of another data directory
    stay there.
    """
    found = {}
    for number, directory in backup.tablespaces:
        relative = _below(directory, backup.data_dir) if engine == "wal-g" else None
        if relative is None and pgdata is not None:
            relative = _below(os.path.realpath(directory), os.path.realpath(pgdata))
        if relative is not None:
            found[number] = relative
    return dict(sorted(found.items(), key=lambda one: len(one[1].parts)))


def fetched_to(pgdata: Path, backup: Backup, engine: str) -> tuple[tuple[str, str], ...]:
    """Return number and directory of each tablespace as it is fetched."""
    within = inside(pgdata, backup, engine) if engine == "wal-g" else {}
    spaces = pgdata / staging.STAGE / "spaces"
    return tuple(
        (number, str(spaces / number) if number in within else directory)
        for number, directory in backup.tablespaces
    )


def gather(pgdata: Path, data: Path, backup: Backup, engine: str) -> None:
    """Move what a fetch left of them in the copy to where their other files were fetched."""
    fetched = dict(fetched_to(pgdata, backup, engine))
    for number, relative in inside(pgdata, backup, engine).items():
        there = data / relative
        if there.is_dir() and not there.is_symlink() and _is_below(there.parent, data):
            _merge(there, Path(fetched[number]))


def absent(
    pgdata: Path, data: Path, backup: Backup, engine: str, names: Iterable[str]
) -> list[str]:
    """Return the listed files that are neither in the copy nor collected elsewhere.

    A file of a tablespace is named by its path below pg_tblspc.
    """
    fetched = dict(fetched_to(pgdata, backup, engine))
    within = inside(pgdata, backup, engine)
    places = {number: str(relative) for number, relative in within.items()}
    return [
        shown for name in names if (shown := _absent(name, str(data), fetched, places)) is not None
    ]


def empty(pgdata: Path, data: Path, backup: Backup, engine: str) -> list[tuple[str, str]]:
    """Return number and directory of each tablespace of which a copy has nothing.

    postgres keeps a directory of its version in each tablespace, also in an empty one.
    """
    fetched = dict(fetched_to(pgdata, backup, engine))
    places = {n: str(relative) for n, relative in inside(pgdata, backup, engine).items()}
    return [
        (number, directory)
        for number, directory in backup.tablespaces
        if not any(
            any(Path(found).glob(_VERSIONS))
            for found in _places(f"{_LINKS}/{number}", str(data), fetched, places)
        )
    ]


def place(pgdata: Path, data: Path, backup: Backup, engine: str) -> None:
    """Move the collected files into their place in the copy, and point the links there.

    Raises:
        ArchiveError: that place would be in another directory.
    """
    fetched = dict(fetched_to(pgdata, backup, engine))
    for number, relative in inside(pgdata, backup, engine).items():
        there, link = data / relative, data / _LINKS / number
        if there.is_symlink() or not _is_below(there.parent, data):
            raise ArchiveError(
                f"the tablespace cannot be restored to {pgdata / relative}: a link on this"
                " path leads to another directory",
                hint="restore a base backup that was taken before the tablespace was"
                " created; keep tablespaces outside the data directory",
            )
        there.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _merge(Path(fetched[number]), there)
        if link.is_symlink():
            link.unlink()
            link.symlink_to(pgdata / relative)
        _change_map(data / _MAP, number, pgdata / relative)


def _is_below(path: Path, directory: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(directory))


def _merge(source: Path, target: Path) -> None:
    """Move the content of a directory into another one. A file that is in both stays as it is.

    Both were read while the base backup ran, and replay corrects either.
    """
    if not source.is_dir():
        return  # it was moved with the directory around it
    if not os.path.lexists(target):
        source.rename(target)
        return
    for entry in list(source.iterdir()):
        there = target / entry.name
        if entry.is_dir() and not entry.is_symlink():
            _merge(entry, there)
        elif os.path.lexists(there):
            entry.unlink()
        else:
            entry.rename(there)
    source.rmdir()


def _absent(name: str, data: str, fetched: dict[str, str], within: dict[str, str]) -> str | None:
    """Return how a missing file is shown; None: it exists."""
    if any(os.path.lexists(path) for path in _places(name, data, fetched, within)):
        return None
    for number, relative in within.items():
        if (below := _relative(name, relative)) is not None:
            return f"{_LINKS}/{number}/{below}".rstrip("/")
    return name


def _places(name: str, data: str, fetched: dict[str, str], within: dict[str, str]) -> Iterator[str]:
    """Yield the possible paths of a name: a tablespace can lie inside another one's directory."""
    yield f"{data}/{name}"
    folder, _, rest = name.partition("/")
    number, _, below = rest.partition("/")
    if folder == _LINKS and number in fetched:
        yield f"{fetched[number]}/{below}"
        name = f"{within[number]}/{below}".rstrip("/") if number in within else name
    for other, relative in within.items():
        if (inner := _relative(name, relative)) is not None:
            yield f"{fetched[other]}/{inner}"


def _relative(name: str, directory: str) -> str | None:
    if name == directory:
        return ""
    return name.removeprefix(f"{directory}/") if name.startswith(f"{directory}/") else None


def _change_map(path: Path, number: str, place: Path) -> None:
    """Name another directory to postgres, which makes the link from this file.

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
