"""Who else uses a data directory: processes that hold it open, a postmaster.pid (S1)."""

# ruff: noqa: PTH108, PTH115, PTH116, PTH118, PTH119, PTH121, PTH123, PTH208 -- pathlib would cost
# PID 1 a megabyte

import os

from walsup import log
from walsup.errors import LockedError

_POSTMASTERS = ("postgres", "postmaster")


def clear_stale_pid(pgdata: str) -> None:
    """Remove a postmaster.pid whose process is dead or no postgres of this directory.

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
    # Below zero for a single-user server.
    digits = first.removeprefix("-")
    pid = int(digits) if digits.isdecimal() else 0
    if pid > 1 and pid != os.getpid() and _is_postgres_of(pid, pgdata):
        raise LockedError(
            f"postmaster.pid names process {pid}, which is a running postgres of {pgdata}",
            hint="end that server first (pg_ctl stop); nothing has been touched",
        )
    os.unlink(path)
    log.warning("postmaster_pid.removed", path=path, pid=first)


def holders(pgdata: str, descriptor: int) -> "list[str]":
    """Name the processes that hold the directory or a file in it open, as far as we may look.

    Those of other containers cannot be seen from here.
    """
    ours = os.fstat(descriptor)
    found = []
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdecimal()):
        if pid == os.getpid():
            continue
        try:
            if any(_is_within(f"/proc/{pid}/fd/{fd}", pgdata, ours) for fd in _descriptors(pid)):
                found.append(f"{pid} ({_name(pid)})")
        except OSError:
            continue
    return found


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
        # It lives and hides itself. Only its name is left to judge by: better refuse than corrupt.
        try:
            return _name(pid) in _POSTMASTERS
        except FileNotFoundError:
            return False
    return here and os.path.basename(program).removesuffix(" (deleted)") in _POSTMASTERS


def _name(pid: int) -> str:
    with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
        return file.read().strip()
