"""The directories of PostgreSQL's unix sockets: walsup's first, then those of the operator.

Agent, engine, probes and commands use the first one. A setting that names no directory, a relative
one, or one in which other programs remove files therefore does not lock them out. postgres ends
when it cannot make the lock file of one socket, so a full directory is not passed on.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from walsup.errors import SettingsError
from walsup.settings import Settings

NAME = "unix_socket_directories"
LONGEST_BYTES = 100 - len("/.s.PGSQL.65535")
# During a base backup the engine's sessions go through a socket in a folder of the run directory.
LONGEST_RUN_DIR_BYTES = LONGEST_BYTES - len("/sessions")
_STOPS_AT_SOCKETS = "wal-g"
_USUAL = Path("/var/run/postgresql")
_ABSTRACT_SINCE = 14
_OWNER_WRITES = 0o200


class Unusable(NamedTuple):
    """A directory of the operator's settings that postgres cannot use, and why."""

    directory: str
    reason: str


class Sockets(NamedTuple):
    """The directories for postgres, walsup's first, and those that are left out."""

    directories: tuple[str, ...]
    left_out: tuple[Unusable, ...] = ()


def choose(  # noqa: PLR0913 (each is one fact)
    known: Settings,
    listed: str,
    run_dir: Path,
    major: int,
    *,
    argument: bool = False,
    engine: str = "",
) -> Sockets:
    """Return the directories. `listed` is the operator's setting, "" when there is none.

    `argument`: the setting was given for this start, so a directory that cannot be used is
    rejected. A file of the volume may have been written for another image: there an unusable
    directory is left out. `engine`: the engine that takes base backups, "" when none does.

    Raises:
        SettingsError: a directory is rejected, or WALSUP_SOCKET_DIR cannot be used.
    """
    own = known.socket_dir or (_USUAL if _is_private() else run_dir)
    check_length(own)
    if reason := known.socket_dir and _rejection(str(own), own, known.pgdata, major, engine):
        raise SettingsError(
            f"WALSUP_SOCKET_DIR: {own} {reason}",
            hint="name a directory in which this user can create files",
        )
    try:
        directories = split(listed)
    except ValueError as fault:
        raise SettingsError(f"{NAME}={listed!r}: {fault}", hint=_hint()) from fault
    usable: dict[str, str] = {os.path.realpath(own): str(own)}
    left_out: list[Unusable] = []
    for directory in directories:
        path = directory if directory.startswith("@") else str(known.pgdata / directory)
        if reason := _rejection(directory, Path(path), known.pgdata, major, engine):
            left_out.append(Unusable(directory, reason))
            continue
        usable.setdefault(path if path.startswith("@") else os.path.realpath(path), path)
    if left_out and argument:
        raise SettingsError(
            "; ".join(f"{NAME}: {one.directory!r} {one.reason}" for one in left_out), hint=_hint()
        )
    return Sockets(tuple(usable.values()), tuple(left_out))


def split(listed: str) -> list[str]:
    """Return the directories of a list as PostgreSQL reads it.

    Source: PostgreSQL 15, varlena.c, SplitDirectoriesString.

    Raises:
        ValueError: PostgreSQL would not start with it.
    """
    names: list[str] = []
    rest = listed.strip(" \t\n\r\f\v")
    while rest or names:
        if rest.startswith('"'):
            name, rest = _quoted(rest)
        else:
            name, comma, rest = rest.partition(",")
            rest = comma + rest
        if not (name := name.strip(" \t\n\r\f\v")):
            raise ValueError("the list contains an empty name")
        names.append(name)
        rest = rest.lstrip(" \t\n\r\f\v")
        if not rest:
            break
        if not rest.startswith(","):
            raise ValueError("text follows a quoted directory")
        rest = rest[1:].lstrip(" \t\n\r\f\v")
    return names


def _quoted(text: str) -> tuple[str, str]:
    end = 1
    while (end := text.find('"', end)) >= 0:
        if text[end + 1 : end + 2] != '"':
            return text[1:end].replace('""', '"'), text[end + 1 :]
        end += 2
    raise ValueError("a quotation mark is not closed")


def check_length(directory: Path, most_bytes: int = LONGEST_BYTES) -> None:
    """Reject a directory in which the path of a socket would be too long.

    Raises:
        SettingsError: the path is too long.
    """
    if len(os.fsencode(directory)) > most_bytes:
        raise SettingsError(
            f"the directory {directory} is too long for a socket's path: the limit is"
            f" {most_bytes} bytes",
            hint="set WALSUP_SOCKET_DIR (or WALSUP_RUN_DIR) to a shorter path",
        )


def is_inside(path: Path, pgdata: Path) -> bool:
    """Return whether a directory is the data directory, or lies in it."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(pgdata))


def permissions(effective: Mapping[str, str]) -> dict[str, str]:
    """Return the mode of the sockets when the operator's mode locks out postgres's own user."""
    text = effective.get("unix_socket_permissions", "0777").strip()
    try:
        mode = int(text, 8 if text.startswith("0") and text[1:2].isdigit() else 0)
    except ValueError:
        return {}  # postgres reports itself that it is no number
    return {} if mode & _OWNER_WRITES else {"unix_socket_permissions": f"0{mode | 0o200:03o}"}


def _rejection(directory: str, path: Path, pgdata: Path, major: int, engine: str) -> str:
    if directory.startswith("@"):
        unsupported = f"is an abstract socket, which PostgreSQL {major} does not support"
        return "" if major >= _ABSTRACT_SINCE else unsupported
    # WAL-RUS leaves sockets out; WAL-G ends with "archive/tar: sockets not supported".
    if engine == _STOPS_AT_SOCKETS and is_inside(path, pgdata):
        return (
            f"is inside the data directory, where a socket makes each base backup of {engine}"
            " fail; name a directory outside of it, or use WAL-RUS"
        )
    if len(os.fsencode(path)) > LONGEST_BYTES:
        return f"is too long for a socket's path: the limit is {LONGEST_BYTES} bytes"
    return _unusable(path)


def _unusable(path: Path) -> str:
    """Return why no socket can be made there. An absent directory is made when possible."""
    try:
        path.mkdir(mode=0o700, exist_ok=True)
    except FileExistsError:
        return "is not a directory"
    except OSError as fault:
        return f"does not exist and cannot be created: {fault.strerror}"
    if not os.access(path, os.W_OK | os.X_OK):
        return f"is not writable for uid {os.geteuid()}"
    return ""


def _is_private() -> bool:
    """Return whether the usual directory is this user's and closed to others: logins are trusted.

    An absent directory is made when possible: in an image, so that psql needs no address.
    """
    try:
        _USUAL.mkdir(mode=0o700, exist_ok=True)
        status = _USUAL.stat()
    except OSError:
        return False
    return os.access(_USUAL, os.W_OK) and not stat.S_IMODE(status.st_mode) & 0o007


def _hint() -> str:
    return (
        f"correct {NAME}, or remove it: walsup always adds a socket in a separate directory"
        " (WALSUP_SOCKET_DIR)"
    )
