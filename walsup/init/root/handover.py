"""Give the data directory and the targets of its links to the database's user; become that user."""

# ruff: noqa: PTH103, PTH112, PTH114, PTH116, PTH118, PTH119, PTH208 -- pathlib would cost PID 1 a megabyte

import os
import pwd

from walsup import log
from walsup.errors import PermissionsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

DATABASE_USER = "postgres"
_NOT_COUNTED = ("lost+found", ".snapshot")
_BESIDE_WAL = ("archive_status", "summaries", *_NOT_COUNTED)
_SEGMENT_DIGITS = 24
# Source: xlog.c; WAL-G, internal/databases/postgres/archive_status_manager.go; WAL-E, prefetch.
_WAL_BEGINNINGS = ("xlogtemp.", "RECOVERY", ".wal-g", "walg_", ".wal-e", ".walsup-")
_HEX = frozenset("0123456789ABCDEF")


def gives_away(pgdata: str) -> bool:
    """Return whether this process is root, and the non-empty directory is another user's."""
    return os.geteuid() == 0 and is_anothers(pgdata, database_user().pw_uid)


def is_anothers(pgdata: str, uid: int) -> bool:
    """Return whether the data directory is not empty and does not belong to this user."""
    if os.stat(pgdata).st_uid == uid:
        return False
    try:
        return any(name not in _NOT_COUNTED for name in os.listdir(pgdata))
    except OSError:
        return True


def take_over(pgdata: str, waldir: str) -> None:
    """As root: give PGDATA (and the directory of its WAL) to the database's user, and become it.

    This cannot be undone: real, effective and saved ids and the groups change, which clears the
    capabilities.

    Raises:
        PermissionsError: root is not allowed to.
    """
    if os.geteuid() != 0:
        return
    owner = database_user()
    hand_over(pgdata, waldir, owner)
    try:
        os.initgroups(DATABASE_USER, owner.pw_gid)
        os.setresgid(owner.pw_gid, owner.pw_gid, owner.pw_gid)
        os.setresuid(owner.pw_uid, owner.pw_uid, owner.pw_uid)
    except OSError as fault:
        raise PermissionsError(
            f"root cannot become the user {DATABASE_USER}: {fault.strerror}",
            hint="allow the capabilities SETUID and SETGID, or start as the database's own user",
        ) from fault
    os.environ["HOME"] = owner.pw_dir
    for name in ("USER", "LOGNAME"):
        os.environ.pop(name, None)


def hand_over(pgdata: str, waldir: str, owner: pwd.struct_passwd) -> None:
    """Give PGDATA, its WAL and its tablespaces to the database's user.

    Directories outside come first, the top of PGDATA comes last, so an interrupted walk is done
    again.

    Raises:
        PermissionsError: root is not allowed to.
    """
    os.makedirs(pgdata, mode=0o700, exist_ok=True)
    before = os.stat(pgdata).st_uid
    ours = list(linked(pgdata, before))
    if before != owner.pw_uid:
        _check_others(pgdata, before, ours)
    for directory in ours:
        _give_all(directory, owner)
    if waldir and (not os.path.isdir(waldir) or _may_hold_wal(waldir)):
        _give_all(waldir, owner)
    _give_all(pgdata, owner)


def linked(pgdata: str, owner_uid: int) -> "Iterator[str]":
    """Yield the directories outside of PGDATA that are this cluster's, judged by their content.

    The database's user can point a link in PGDATA anywhere, so what else a target holds decides. A
    tablespace may be another cluster's: it has to belong to the owner of PGDATA.
    """
    for link in _links(pgdata):
        is_wal = os.path.basename(link) == "pg_wal"
        if _holds_wal(link) if is_wal else _is_owned(link, owner_uid) and _holds_tables(link):
            yield os.path.realpath(link)


def _links(pgdata: str) -> "Iterator[str]":
    """Yield the links of pg_wal and of tablespaces that lead to a directory."""
    folder = os.path.join(pgdata, "pg_tblspc")
    spaces = (os.path.join(folder, name) for name in _names(folder) if name.isdecimal())
    for link in (os.path.join(pgdata, "pg_wal"), *spaces):
        if os.path.islink(link) and os.path.isdir(link):
            yield link


def _is_owned(path: str, uid: int) -> bool:
    return os.stat(path).st_uid == uid


def _check_others(pgdata: str, before: int, ours: "list[str]") -> None:
    """Reject a directory whose links lead to what would be left behind: it could not start.

    Raises:
        PermissionsError: with the link; nothing has been given away.
    """
    for link in _links(pgdata):
        target = os.path.realpath(link)
        if target not in ours and _is_owned(target, before):
            raise PermissionsError(
                f"{link} points to {target}, which uid {before} owns and which holds other"
                " files than PostgreSQL's",
                hint="remove the other files, or give all of it to the user that runs"
                " postgres (chown -R); nothing has been touched",
            )


def _holds_wal(directory: str) -> bool:
    """Return whether it holds segments and nothing that is not pg_wal's."""
    return any(map(_is_segment, _names(directory))) and _may_hold_wal(directory)


def _may_hold_wal(directory: str) -> bool:
    return all(
        name in _BESIDE_WAL
        or name.startswith(_WAL_BEGINNINGS)
        or name.endswith(".history")
        or _is_segment(name)
        for name in _names(directory)
    )


def _names(directory: str) -> "list[str]":
    """Return its names; empty when root itself may not look."""
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _is_segment(name: str) -> bool:
    return len(name) >= _SEGMENT_DIGITS and _HEX.issuperset(name[:_SEGMENT_DIGITS])


def _holds_tables(directory: str) -> bool:
    """Return whether it holds only folders of PostgreSQL's versions, such as PG_17_202406281."""
    names = [name for name in _names(directory) if name not in _NOT_COUNTED]
    return bool(names) and all(
        name.startswith("PG_") and name[3:].replace("_", "").isdecimal() for name in names
    )


def _give_all(directory: str, owner: pwd.struct_passwd) -> None:
    os.makedirs(directory, mode=0o700, exist_ok=True)
    if os.stat(directory).st_uid == owner.pw_uid:
        return
    for folder, folders, files in os.walk(directory, topdown=False):
        for name in (*files, *folders):
            give(os.path.join(folder, name), owner)
    give(directory, owner)
    log.info("directory.owned", path=directory, user=owner.pw_name)


def give(path: str, owner: pwd.struct_passwd) -> None:
    """Change the owner of one file or directory; of a link, not of its target.

    Raises:
        PermissionsError: root is not allowed to.
    """
    try:
        os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)
    except FileNotFoundError:
        return  # it was removed in the meantime
    except OSError as fault:
        raise PermissionsError(
            f"root cannot give {path} to the user {owner.pw_name}: {fault.strerror}",
            hint="allow the capability CHOWN, or start as the database's own user (--user postgres,"
            " runAsUser: 999) on a volume that belongs to it",
        ) from fault


def database_user() -> pwd.struct_passwd:
    """Return the database's user.

    Raises:
        PermissionsError: this image has none.
    """
    try:
        return pwd.getpwnam(DATABASE_USER)
    except KeyError:
        raise PermissionsError(
            f"started as root, but the user {DATABASE_USER} does not exist",
            hint=f"create the user {DATABASE_USER}, or start walsup as the database's own user",
        ) from None
