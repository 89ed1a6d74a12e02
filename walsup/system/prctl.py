"""The few requests to the Linux kernel that the standard library has no call for."""

import ctypes
import errno
import os
import signal

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_AT_FDCWD, _RENAME_NOREPLACE = -100, 1

# Resolved at import, before any fork: no dlopen between fork and exec.
_prctl = ctypes.CDLL(None, use_errno=True).prctl


def hide_memory() -> None:
    """Make /proc/self/environ and friends unreadable for others of the same uid (rule secrets)."""
    _prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of orphaned descendants, as PID 1 of a namespace is by itself."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def take_less(data_bytes: int, oom_score: int) -> None:
    """Bound this process's own memory, and offer it to the kernel before others.

    Rule probes-do-not-kill.

    Children inherit both; the bound is a soft one, which they may change.
    """
    import resource  # noqa: PLC0415 (not in PID 1)

    hard_bytes = resource.getrlimit(resource.RLIMIT_DATA)[1]
    if hard_bytes == resource.RLIM_INFINITY or hard_bytes > data_bytes:
        resource.setrlimit(resource.RLIMIT_DATA, (data_bytes, hard_bytes))
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:  # noqa: PTH123
            file.write(str(oom_score))
    except OSError:
        return  # an older kernel, or one that is more strict: it is a precaution


def die_with_parent(parent: int) -> None:
    """Ask for SIGKILL when `parent` ends; ends at once if it already has (rule directory-lock).

    To be called after the change of uid, which clears the request.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(128 + signal.SIGKILL)


def rename_to_free(before: os.PathLike[str], after: os.PathLike[str]) -> None:
    """Give a directory a new name that nothing has, not even an empty directory.

    Raises:
        FileExistsError: something has it; OSError.
    """
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:  # a C library without it
        _rename_unless_there(before, after)
        return
    if rename(_AT_FDCWD, os.fsencode(before), _AT_FDCWD, os.fsencode(after), _RENAME_NOREPLACE):
        number = ctypes.get_errno()
        if number not in (errno.EINVAL, errno.ENOSYS):
            raise OSError(number, os.strerror(number), os.fspath(after))
        _rename_unless_there(before, after)  # a file system without it, such as NFS


def _rename_unless_there(before: os.PathLike[str], after: os.PathLike[str]) -> None:
    if os.path.lexists(after):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(after))
    os.rename(before, after)  # noqa: PTH104 (PID 1 loads no pathlib)
