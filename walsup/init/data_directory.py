"""The data directory: create it, lock it, and find the processes that use it."""

# ruff: noqa: PTH103, PTH108, PTH115, PTH116, PTH118, PTH119, PTH121, PTH123, PTH208 -- pathlib would cost
# PID 1 a megabyte

import fcntl
import os
import stat

from walsup import log
from walsup.errors import DataDirectoryError, LockedError, PermissionsError, SettingsError
from walsup.init.root import handover
from walsup.system.setting_text import fault_in

LOCK_PATIENCE_S = 15.0
_POSTMASTERS = ("postgres", "postmaster")


def make_directories(pgdata: str, run_dir: str) -> None:
    """Create both directories. As root, give the run directory to the database's user.

    Raises:
        PermissionsError: they cannot be made, or the run directory belongs to another user.
    """
    for name, path in (("PGDATA", pgdata), ("WALSUP_RUN_DIR", run_dir)):
        if wrong := fault_in(name, path):
            raise SettingsError(f"{name}: {wrong}", hint="nothing was created")
    if not pgdata.startswith("/"):
        raise SettingsError(
            f"PGDATA: {pgdata!r} is not an absolute path",
            hint="correct it in the container's environment; nothing was created",
        )
    try:
        os.makedirs(pgdata, mode=0o700, exist_ok=True)
        os.makedirs(run_dir, mode=0o700, exist_ok=True)
    except OSError as fault:
        raise PermissionsError(
            f"cannot create {fault.filename}: {fault.strerror}",
            hint="mount a volume that this user can write to, or set PGDATA and WALSUP_RUN_DIR",
        ) from fault
    status = os.lstat(run_dir)
    if not stat.S_ISDIR(status.st_mode):
        raise PermissionsError(
            f"the run directory {run_dir} is a link",
            hint="set WALSUP_RUN_DIR to the directory itself; secrets are kept in it",
        )
    if os.geteuid() == 0:
        handover.give(run_dir, handover.database_user())
    elif status.st_uid != os.geteuid():
        raise PermissionsError(
            f"the run directory {run_dir} belongs to uid {status.st_uid}, but this process"
            f" runs as uid {os.geteuid()}",
            hint="set WALSUP_RUN_DIR to a directory that belongs to this user; secrets are"
            " kept in it",
        )


def open_data_directory(pgdata: str) -> int:
    """Open PGDATA for its lock and return the descriptor.

    Raises:
        DataDirectoryError: it is no directory or cannot be opened.
    """
    try:
        return os.open(pgdata, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as fault:
        raise DataDirectoryError(
            f"cannot open the data directory {pgdata}: {fault.strerror}",
            hint="set PGDATA to a directory that this user can read",
        ) from fault


def try_lock(descriptor: int) -> bool:
    """Take the exclusive lock if it is free. It is never unlocked: the last close frees it.

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
    """Raise an error that names the processes that hold the data directory."""
    users = ", ".join(holders(pgdata, descriptor)) or "unknown (another container or node)"
    return LockedError(
        f"the data directory {pgdata} is still in use after {LOCK_PATIENCE_S:.0f} s; held open"
        f" by: {users}",
        hint="stop the other container or process that uses this volume, then start again",
    )


def clear_stale_pid(pgdata: str) -> None:
    """Remove a postmaster.pid whose process is dead or is not a postgres of this directory.

    Call this only while the lock is held.

    Raises:
        LockedError: a postgres of this directory is alive.
    """
    path = os.path.join(pgdata, "postmaster.pid")
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            first = file.readline().strip()
    except FileNotFoundError:
        return
    # Below zero for a single-user server.
    digits = first.removeprefix("-")
    pid = int(digits) if digits.isdecimal() else 0
    if pid > 1 and pid != os.getpid() and _is_postgres_of(pid, pgdata):
        raise LockedError(
            f"postmaster.pid names process {pid}, which is a running postgres of {pgdata}",
            hint="stop that server first (pg_ctl stop); nothing has been touched",
        )
    os.unlink(path)
    log.warning("postmaster_pid.removed", path=path, pid=first)


def holders(pgdata: str, descriptor: int) -> "list[str]":
    """Return the processes that hold the directory or a file in it, as far as they are visible.

    Processes of other containers cannot be seen from here.
    """
    ours = os.fstat(descriptor)
    names = []
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdecimal()):
        if pid == os.getpid():
            continue
        try:
            if any(_is_within(f"/proc/{pid}/fd/{fd}", pgdata, ours) for fd in _descriptors(pid)):
                names.append(f"{pid} ({_name(pid)})")
        except OSError:
            continue
    return names


def _is_within(link: str, pgdata: str, ours: os.stat_result) -> bool:
    try:
        if os.path.samestat(os.stat(link), ours):  # whatever its path is in that container
            return True
        return os.readlink(link).startswith(pgdata + "/")
    except OSError:
        return False


def _descriptors(pid: int) -> "list[str]":
    return os.listdir(f"/proc/{pid}/fd")


def _is_postgres_of(pid: int, pgdata: str) -> bool:
    try:
        program = os.readlink(f"/proc/{pid}/exe")
        here = os.path.samefile(f"/proc/{pid}/cwd", pgdata)
    except FileNotFoundError:
        return False
    except OSError:
        # It lives and hides itself. Only its name is left to decide by: better refuse than corrupt.
        try:
            return _name(pid) in _POSTMASTERS
        except FileNotFoundError:
            return False
    return here and os.path.basename(program).removesuffix(" (deleted)") in _POSTMASTERS


def _name(pid: int) -> str:
    with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
        return file.read().strip()
