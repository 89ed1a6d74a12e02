"""Making the directories ours: owner, lock, stale postmaster.pid (S1), and the end of root."""

import fcntl
import os
import pwd
import stat

from walsup import log
from walsup.errors import DataDirectoryError, LockedError, PermissionsError

DATABASE_USER = "postgres"
LOCK_PATIENCE_S = 15.0


def make_directories(pgdata: str, run_dir: str) -> None:
    """Create both directories; as root they are handed to the database's user.

    Raises:
        PermissionsError: they cannot be made, or the run directory is somebody else's.
    """
    try:
        os.makedirs(pgdata, mode=0o700, exist_ok=True)
        os.makedirs(run_dir, mode=0o700, exist_ok=True)
    except OSError as fault:
        raise PermissionsError(
            f"cannot create {fault.filename}: {fault.strerror}",
            hint="mount a volume that this user may write to, or set PGDATA and WALSUP_RUN_DIR",
        ) from fault
    if os.geteuid() == 0:
        owner = _database_user()
        os.chown(run_dir, owner.pw_uid, owner.pw_gid)
    status = os.lstat(run_dir)
    if not stat.S_ISDIR(status.st_mode) or (os.geteuid() != 0 and status.st_uid != os.geteuid()):
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
    """Take the exclusive lock if it is free. Never unlocked: the last copy to close frees it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def locked_error(pgdata: str) -> LockedError:
    """Say who holds the data directory."""
    holders = ", ".join(_holders(pgdata)) or "unknown (another container or node)"
    return LockedError(
        f"the data directory {pgdata} is in use, for {LOCK_PATIENCE_S:.0f} s of waiting;"
        f" held open by: {holders}",
        hint="stop the other container or process that uses this volume, then start again",
    )


def take_over(pgdata: str) -> None:
    """As root: hand PGDATA to the database's user, then become that user for good.

    The top goes last, so that an interrupted walk is done again.
    """
    if os.geteuid() != 0:
        return
    owner = _database_user()
    if os.stat(pgdata).st_uid != owner.pw_uid:
        for directory, _, files in os.walk(pgdata, topdown=False):
            for path in (*(os.path.join(directory, name) for name in files), directory):
                os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)
        log.info("directory.owned", path=pgdata, user=DATABASE_USER)
    os.initgroups(DATABASE_USER, owner.pw_gid)
    os.setresgid(owner.pw_gid, owner.pw_gid, owner.pw_gid)
    os.setresuid(owner.pw_uid, owner.pw_uid, owner.pw_uid)
    os.environ["HOME"] = owner.pw_dir
    os.environ.pop("USER", None)


def clear_stale_pid(pgdata: str) -> None:
    """Remove a postmaster.pid whose process is dead or no postgres of this directory (S1).

    Only to be called while the lock is held.

    Raises:
        LockedError: a postgres of this directory is alive.
    """
    path = os.path.join(pgdata, "postmaster.pid")
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            first = file.readline().strip()
    except FileNotFoundError:
        return
    pid = int(first) if first.lstrip("-").isdigit() else 0
    if pid > 1 and pid != os.getpid() and _is_postgres_of(pid, pgdata):
        raise LockedError(
            f"postmaster.pid names process {pid}, which is a running postgres of {pgdata}",
            hint="end that server first (pg_ctl stop); nothing has been touched",
        )
    os.unlink(path)
    log.warning("postmaster_pid.removed", path=path, pid=first)


def _database_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(DATABASE_USER)
    except KeyError:
        raise PermissionsError(
            f"started as root, but there is no user {DATABASE_USER} to become",
            hint=f"create the user {DATABASE_USER}, or start walsup as the database's own user",
        ) from None


def _is_postgres_of(pid: int, pgdata: str) -> bool:
    try:
        program = os.readlink(f"/proc/{pid}/exe")
        here = os.path.samefile(f"/proc/{pid}/cwd", pgdata)
    except FileNotFoundError:
        return False
    except OSError:
        return True  # it lives and hides itself: better refuse than corrupt
    return here and os.path.basename(program).removesuffix(" (deleted)") in ("postgres", "postmaster")


def _holders(pgdata: str) -> "list[str]":
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if int(pid) == os.getpid():
            continue
        try:
            opened = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
            with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
                name = file.read().strip()
        except OSError:
            continue
        if any(path == pgdata or path.startswith(pgdata + "/") for path in opened):
            found.append(f"{pid} ({name})")
    return found
