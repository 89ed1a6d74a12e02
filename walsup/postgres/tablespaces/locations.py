"""The directories of tablespaces that a replay is about to create: whose files they hold.

A CREATE TABLESPACE record names the directory of the server that wrote it. On the same host, or
with the same volume mounted, replay would silently use that server's files: while postgres runs
normally the directory of the version (PG_15_202209061) must not exist, in recovery it may. So it is
created here before the record is replayed, exclusively, which also prevents every other server from
taking it. The directory is remembered by its inode and by a mark, if the file system supports one,
because inodes are used again.
"""

import contextlib
import errno
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

from walsup import units
from walsup.postgres import pg_control
from walsup.system.durable_files import sync, write_durable
from walsup.system.prctl import rename_to_free

FILE = ".walsup-tablespaces"
_MAP = "tablespace_map"
_LINKS = "pg_tblspc"
_MAKING = ".walsup-making-"
_MARK = "user.walsup"

Made = tuple[int, str]  # inode and mark


def links(pgdata: Path) -> Iterator[tuple[str, Path]]:
    """Yield number and directory of each tablespace outside pg_tblspc."""
    with contextlib.suppress(OSError):
        for link in (pgdata / _LINKS).iterdir():
            if link.name.isdecimal() and link.is_symlink():
                yield link.name, link.readlink()


def on_no_volume(pgdata: Path, location: Path) -> bool:
    """Return whether it is, or would be, in the root file system, and `pgdata` is not.

    A container's root file system is its own writable layer, which is removed with it.
    """
    try:
        while not location.exists() and location != location.parent:
            location = location.parent
        device, root, data = (path.stat().st_dev for path in (location, Path("/"), pgdata))
    except OSError:
        return False
    return device == root != data


def version_folder(pgdata: Path) -> str:
    """Return the directory that this version of PostgreSQL uses inside a tablespace's.

    Source: PostgreSQL 11 to 18, relpath.h, TABLESPACE_VERSION_DIRECTORY.

    Raises:
        WalsupError, OSError: the data directory cannot be read.
    """
    major = (pgdata / "PG_VERSION").read_text(encoding="ascii").strip()
    return f"PG_{major}_{pg_control.read(pgdata).catalog_version}"


def make_ready(pgdata: Path, location: str) -> str:
    """Create the directory of a tablespace that is about to be created; return why it cannot be.

    Raises:
        WalsupError, OSError: the data directory cannot be read or written.
    """
    if not location or _is_known(pgdata, location):
        return ""
    directory, version = Path(location), version_folder(pgdata)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if problem := _not_usable(directory):
            return problem
        return _claim(pgdata, directory, version)
    except OSError as fault:
        return f"{fault.filename or directory}: {str(fault.strerror).lower()}"


def let_go(pgdata: Path) -> None:
    """Remove the directories of tablespaces that were not created after all."""
    claims = _claims(pgdata)
    if not claims:
        return
    version, used = version_folder(pgdata), {_real(place) for _, place in links(pgdata)}
    for location, claimed in claims.items():
        made = Path(location) / version
        if _real(location) not in used and _is_that(made, claimed):
            with contextlib.suppress(OSError):  # other files are in it
                made.rmdir()
    (pgdata / FILE).unlink(missing_ok=True)


def is_claimed(pgdata: Path, directory: Path) -> bool:
    """Return whether the directory was created for a record that was about to be replayed."""
    claimed = _claims(pgdata).get(str(directory))
    return claimed is not None and _is_that(directory / version_folder(pgdata), claimed)


def _is_known(pgdata: Path, location: str) -> bool:
    """Return whether this data directory already has a tablespace there."""
    linked = {_real(place) for _, place in links(pgdata)}
    return _real(location) in linked | {_real(place) for place in _mapped(pgdata)}


def _mapped(pgdata: Path) -> Iterator[str]:
    """Yield the directories of a base backup's tablespaces whose links postgres has yet to create.

    Source: PostgreSQL 15, xlogrecovery.c, read_tablespace_map; a backslash escapes the next
    character.
    """
    try:
        text = (pgdata / _MAP).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return
    for line in text.replace("\\\\", "\0").replace("\\\n", "\1").split("\n"):
        _, blank, place = line.partition(" ")
        if blank:
            yield place.replace("\1", "\n").replace("\0", "\\")


def _not_usable(directory: Path) -> str:
    """Return why postgres could not use it: replay sets its mode, which only its owner can."""
    owner = directory.stat().st_uid
    if owner != os.geteuid():
        return f"{directory} belongs to uid {owner}, not to the database's user {os.geteuid()}"
    return ""


def _claim(pgdata: Path, directory: Path, version: str) -> str:
    """Create the version's directory unless it exists; it gets its name only after it is noted."""
    made, claims = directory / version, _claims(pgdata)
    while not os.path.lexists(made):
        fresh = Path(tempfile.mkdtemp(prefix=_MAKING, dir=directory))
        mark = secrets.token_hex(8)
        try:
            os.setxattr(fresh, _MARK, mark.encode())
        except OSError:
            mark = ""  # this file system, or a security module, does not allow one
        claims[str(directory)] = (fresh.stat().st_ino, mark)
        try:
            write_durable(pgdata / FILE, json.dumps(claims))
            rename_to_free(fresh, made)
        except FileExistsError:
            fresh.rmdir()
        else:
            sync(directory)
    claimed = claims.get(str(directory))
    if claimed and _is_that(made, claimed):
        return ""
    return f"{made} holds the files of another server ({_holds(made)})"


def _holds(made: Path) -> str:
    try:
        names = sorted(path.name for path in made.iterdir())
    except OSError:
        return "it cannot be read"
    if not names:
        return "of no database yet"
    return f"databases {units.abbreviate(names)}"


def _claims(pgdata: Path) -> dict[str, Made]:
    """Return the inode and mark of each directory that was created."""
    try:
        found = json.loads((pgdata / FILE).read_text(encoding="utf-8"))
        return {str(place): (int(inode), str(mark)) for place, (inode, mark) in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _is_that(path: Path, claimed: Made) -> bool:
    """Return whether this is the directory that was created."""
    inode, mark = claimed
    try:
        if path.lstat().st_ino != inode:
            return False
        return not mark or os.getxattr(path, _MARK, follow_symlinks=False) == mark.encode()
    except OSError as fault:
        return fault.errno == errno.ENOTSUP


def _real(path: str | Path) -> str:
    return os.path.realpath(path)
