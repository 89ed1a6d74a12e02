"""Making the directories ours: owner, lock (S1), and the end of root."""

# ruff: noqa: PTH103 -- pathlib would cost PID 1 a megabyte

import fcntl
import os
import pwd
import stat

from walsup.errors import DataDirectoryError, LockedError, PermissionsError, SettingsError
from walsup.init import directory_handover
from walsup.init.directory_users import holders
from walsup.system.setting_text import fault_in

DATABASE_USER = "postgres"
LOCK_PATIENCE_S = 15.0


def make_directories(pgdata: str, run_dir: str) -> None:
    """Create both directories; as root the run directory is handed to the database's user.

    Raises:
        PermissionsError: they cannot be made, or the run directory is somebody else's.
    """
    for name, path in (("PGDATA", pgdata), ("WALSUP_RUN_DIR", run_dir)):
        if wrong := fault_in(name, path):
            raise SettingsError(f"{name}: {wrong}", hint="nothing has been made")
    if not pgdata.startswith("/"):
        raise SettingsError(
            f"PGDATA: {pgdata!r} is not an absolute path",
            hint="correct it in the container's environment; nothing has been made",
        )
    try:
        os.makedirs(pgdata, mode=0o700, exist_ok=True)
        os.makedirs(run_dir, mode=0o700, exist_ok=True)
    except OSError as fault:
        raise PermissionsError(
            f"cannot create {fault.filename}: {fault.strerror}",
            hint="mount a volume that this user may write to, or set PGDATA and WALSUP_RUN_DIR",
        ) from fault
    status = os.lstat(run_dir)
    if not stat.S_ISDIR(status.st_mode):
        raise PermissionsError(
            f"the run directory {run_dir} is a link",
            hint="set WALSUP_RUN_DIR to the directory itself; secrets are kept in it",
        )
    if os.geteuid() == 0:
        owner = _database_user()
        directory_handover.give(run_dir, owner)
    elif status.st_uid != os.geteuid():
        raise PermissionsError(
            f"the run directory {run_dir} belongs to uid {status.st_uid}, this is {os.geteuid()}",
            hint="set WALSUP_RUN_DIR to a directory of this user; secrets are kept in it",
        )


def open_data_directory(pgdata: str) -> int:
    """Open PGDATA for its lock; gives the descriptor.

    Raises:
        DataDirectoryError: it is no directory or cannot be opened.
    """
    try:
        return os.open(pgdata, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as fault:
        raise DataDirectoryError(
            f"cannot open the data directory {pgdata}: {fault.strerror}",
            hint="PGDATA must be a directory that this user may read",
        ) from fault


def try_lock(descriptor: int) -> bool:
    """Take the exclusive lock if it is free. Never unlocked: the last copy to close frees it.

    Raises:
        DataDirectoryError: the file system has no locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as fault:
        raise DataDirectoryError(
            f"the data directory cannot be locked: {fault.strerror}",
            hint="use a file system with flock(2) (for NFS: version 4, or a lock daemon)",
        ) from fault
    return True


def locked_error(pgdata: str, descriptor: int) -> LockedError:
    """Say who holds the data directory."""
    found = ", ".join(holders(pgdata, descriptor)) or "unknown (another container or node)"
    return LockedError(
        f"the data directory {pgdata} is in use, for {LOCK_PATIENCE_S:.0f} s of waiting;"
        f" held open by: {found}",
        hint="stop the other container or process that uses this volume, then start again",
    )


def run_dir_error(run_dir: str) -> LockedError:
    """Say that another walsup uses the run directory."""
    return LockedError(
        f"the run directory {run_dir} is in use by another walsup",
        hint="give each its own WALSUP_RUN_DIR; nothing has been touched",
    )


def is_anothers(pgdata: str) -> bool:
    """Return whether root would give away a directory that holds something."""
    return os.geteuid() == 0 and directory_handover.is_anothers(pgdata, _database_user().pw_uid)


def take_over(pgdata: str, waldir: str) -> None:
    """As root: hand PGDATA (and where its WAL is) to the database's user, and become it.

    For good: real, effective and saved ids and the groups change, which clears the capabilities.

    Raises:
        PermissionsError: root is not allowed to.
    """
    if os.geteuid() != 0:
        return
    owner = _database_user()
    directory_handover.hand_over(pgdata, waldir, owner)
    try:
        os.initgroups(DATABASE_USER, owner.pw_gid)
        os.setresgid(owner.pw_gid, owner.pw_gid, owner.pw_gid)
        os.setresuid(owner.pw_uid, owner.pw_uid, owner.pw_uid)
    except OSError as fault:
        raise PermissionsError(
            f"root may not become the user {DATABASE_USER}: {fault.strerror}",
            hint="allow the capabilities SETUID and SETGID, or start as the database's own user",
        ) from fault
    os.environ["HOME"] = owner.pw_dir
    for name in ("USER", "LOGNAME"):
        os.environ.pop(name, None)


def _database_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(DATABASE_USER)
    except KeyError:
        raise PermissionsError(
            f"started as root, but there is no user {DATABASE_USER} to become",
            hint=f"create the user {DATABASE_USER}, or start walsup as the database's own user",
        ) from None
