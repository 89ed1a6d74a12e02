"""Giving directories to the database's user, as root: the data directory and what it links to."""

# ruff: noqa: PTH103, PTH112, PTH114, PTH116, PTH118, PTH208 -- pathlib would cost PID 1 a megabyte

import os

from walsup import log
from walsup.errors import PermissionsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pwd
    from collections.abc import Iterator

_NOT_COUNTED = ("lost+found", ".snapshot")
_BESIDE_WAL = ("archive_status", "summaries", *_NOT_COUNTED)
_SEGMENT_DIGITS = 24
_WAL_BEGINNINGS = ("xlogtemp.", ".wal-g", ".walsup-")
_HEX = frozenset("0123456789ABCDEF")


def is_anothers(pgdata: str, uid: int) -> bool:
    """Return whether the data directory holds something and does not belong to this user."""
    if os.stat(pgdata).st_uid == uid:
        return False
    try:
        return any(name not in _NOT_COUNTED for name in os.listdir(pgdata))
    except OSError:
        return True


def hand_over(pgdata: str, waldir: str, owner: "pwd.struct_passwd") -> None:
    """Give PGDATA, its WAL and its tablespaces to the database's user.

    What lies outside goes first, PGDATA's top last: a walk that is cut off is done again.

    Raises:
        PermissionsError: root is not allowed to.
    """
    os.makedirs(pgdata, mode=0o700, exist_ok=True)
    before = os.stat(pgdata).st_uid
    for directory in linked(pgdata, before):
        _give_all(directory, owner)
    if waldir and (not os.path.isdir(waldir) or _may_hold_wal(waldir)):
        _give_all(waldir, owner)
    _give_all(pgdata, owner)


def linked(pgdata: str, owner_uid: int) -> "Iterator[str]":
    """Yield the directories outside of PGDATA that are this cluster's, by what they hold.

    The database's user can point a link in PGDATA anywhere, so what else a target holds decides. A
    tablespace may be another cluster's: it has to belong to the owner of PGDATA.
    """
    wal = os.path.join(pgdata, "pg_wal")
    if os.path.islink(wal) and os.path.isdir(wal) and _holds_wal(wal):
        yield os.path.realpath(wal)
    folder = os.path.join(pgdata, "pg_tblspc")
    for name in _names(folder):
        link = os.path.join(folder, name)
        if not (name.isdecimal() and os.path.islink(link) and os.path.isdir(link)):
            continue
        if os.stat(link).st_uid == owner_uid and _holds_tables(link):
            yield os.path.realpath(link)


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
    """Return what is in it; nothing where root itself may not look."""
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _is_segment(name: str) -> bool:
    return len(name) >= _SEGMENT_DIGITS and _HEX.issuperset(name[:_SEGMENT_DIGITS])


def _holds_tables(directory: str) -> bool:
    """Return whether it holds folders of PostgreSQL's versions, such as PG_17_202406281, alone."""
    names = [name for name in _names(directory) if name not in _NOT_COUNTED]
    return bool(names) and all(
        name.startswith("PG_") and name[3:].replace("_", "").isdecimal() for name in names
    )


def _give_all(directory: str, owner: "pwd.struct_passwd") -> None:
    os.makedirs(directory, mode=0o700, exist_ok=True)
    if os.stat(directory).st_uid == owner.pw_uid:
        return
    for folder, folders, files in os.walk(directory, topdown=False):
        for name in (*files, *folders):
            give(os.path.join(folder, name), owner)
    give(directory, owner)
    log.info("directory.owned", path=directory, user=owner.pw_name)


def give(path: str, owner: "pwd.struct_passwd") -> None:
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
            f"root may not give {path} to the user {owner.pw_name}: {fault.strerror}",
            hint="allow the capability CHOWN, or start as the database's own user (--user postgres,"
            " runAsUser: 999) on a volume that belongs to it",
        ) from fault
