"""What this machine must have for a restore: the major version, the room, the directories."""

import os
import pwd
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from walsup import units
from walsup.archive.catalog.base_backups import Backup
from walsup.boot import disk_space, libraries
from walsup.boot.existing_cluster import inner_tablespaces
from walsup.boot.restore import late_tablespaces, links, required_space
from walsup.boot.restore.restore_plan import Findings, RestoreRequest, Selection
from walsup.datadir import directory_users
from walsup.postgres import config
from walsup.postgres.tablespaces import uncarried

_DATABASE_USER = "postgres"  # as PID 1 has it
_WAL = "pg_wal"
_OLDEST = 12  # before version 12 recovery had a file for its settings


def unfit(
    request: RestoreRequest,
    selection: Selection,
    space_bytes: Mapping[str, int],
    findings: Findings,
) -> Iterator[str]:
    """Yield what does not fit.

    `space_bytes`: the smallest size of each tablespace, by its number.
    """
    backup = selection.backup
    major = str(backup.pg_version // 10000) if backup.pg_version else None
    if request.major and major and request.major != major:
        yield (
            f"base backup {backup.name} is of PostgreSQL {major}, but PostgreSQL"
            f" {request.major} is installed here: use PostgreSQL {major}"
        )
    if (
        request.major
        and request.major.partition(".")[0].isdecimal()
        and float(request.major) < _OLDEST
    ):
        yield (
            f"a restore by walsup needs PostgreSQL {_OLDEST} or newer, but PostgreSQL"
            f" {request.major} is installed here"
        )
    if request.pkglibdir and (lacking := libraries.missing(backup.preloads, request.pkglibdir)):
        yield (
            f"base backup {backup.name} is of a cluster that loads {', '.join(lacking)}"
            f" ({config.PRELOADED}), which {request.pkglibdir} does not have: use an image"
            f" that has these extensions, or pass -c {config.PRELOADED}=…"
        )
    if request.places:
        yield from late_tablespaces.unfit(request, selection, findings, not_writable)
        yield from _unusable_places(request, backup)
        findings.warnings += late_tablespaces.unkept(request, selection)
    if request.pgdata is None:
        return
    yield from links.unmet(backup.left_out, request.pgdata)
    findings.no_room += required_space.lacking(request, selection, space_bytes, request.pgdata)
    yield from findings.no_room
    findings.warnings += required_space.unknown(selection, space_bytes, request.pgdata)
    if problem := _not_fillable(request.pgdata):
        yield f"the data directory cannot be filled: {problem}"
    if request.waldir is not None and (
        problem := not_writable(disk_space.existing(request.waldir))
    ):
        yield f"pg_wal cannot be created in {request.waldir}: {problem}"


def _unusable_places(request: RestoreRequest, backup: Backup) -> Iterator[str]:
    within = inner_tablespaces.inside(request.pgdata, backup, request.engine)
    yield from uncarried.behind_links(within, backup.left_out, request.engine)
    for relative in within.values():
        if request.waldir is not None and relative.parts[0] == _WAL:
            yield (
                f"the tablespace in {relative} of the data directory cannot be put into"
                f" {request.waldir}: start the restore without POSTGRES_INITDB_WALDIR"
            )
    for number, directory in backup.tablespaces:
        if number not in within and (problem := _unusable(Path(directory))):
            yield f"the tablespace in {directory} cannot be created: {problem}"


def _unusable(directory: Path) -> str:
    try:
        names = directory_users.content(directory)
    except OSError as fault:
        return str(fault.strerror).lower()
    if names:
        return (
            f"the directory is not empty: it holds {units.abbreviate(names)}; mount an empty volume"
            " there, or, if no database uses these files, move them away"
        )
    if not directory.exists():
        problem = not_writable(disk_space.existing(directory))
        return f"{problem}; mount a volume there" if problem else ""
    return not_writable(directory)


def _not_fillable(pgdata: Path) -> str:
    """Return why the data directory itself cannot be written, "" when it can.

    A run that begins as root gives it to the database's user, but nothing above it.
    """
    user = _database_user()
    if user is None or os.statvfs(pgdata).f_flag & os.ST_RDONLY:
        return not_writable(pgdata)
    above = pgdata.parent
    return "" if _may(user, "-x", above) else f"{user.pw_name} cannot enter {above}"


def not_writable(directory: Path) -> str:
    """Return why the database's user may not write there, whichever user asks; "" when it may."""
    if os.statvfs(directory).f_flag & os.ST_RDONLY:
        return f"{directory} is on a file system that is mounted read-only"
    user = _database_user()
    if user is None:
        may = os.access(directory, os.W_OK | os.X_OK)
        return "" if may else f"this user cannot write to {directory}"
    may = _may(user, "-x", directory) and _may(user, "-w", directory)
    return "" if may else f"{user.pw_name} cannot write to {directory}"


def _may(user: pwd.struct_passwd, access: str, directory: Path) -> bool:
    """Test as this user: mode bits do not show ACLs and the directories above."""
    groups = os.getgrouplist(user.pw_name, user.pw_gid)
    argv = ["test", access, str(directory)]
    done = subprocess.run(
        argv, check=False, user=user.pw_uid, group=user.pw_gid, extra_groups=groups
    )
    return done.returncode == 0


def _database_user() -> pwd.struct_passwd | None:
    """Return the user that a run as root becomes; None: this user stays."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(_DATABASE_USER)
    except KeyError:
        return None
