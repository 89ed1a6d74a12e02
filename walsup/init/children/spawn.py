"""Starts programs: the environment of a child of PID 1, and the meaning of its end."""

import errno
import os
import signal

from walsup import log
from walsup.system import prctl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from walsup.pid1_messages import Launch

NOT_FOUND = 127
NOT_EXECUTABLE = 126
_FIRST_OTHER_DESCRIPTOR = 3
# Kernels before 5.9 close them one by one; no descriptor of walsup's is near this number.
_HIGHEST_DESCRIPTOR = 65536


def spawn(launch: "Launch", *, inherit: "tuple[int, ...]" = (), orphan: bool = False) -> int:
    """Fork and exec; return the pid. `inherit`: descriptors that stay open over exec.

    The child has default dispositions and an empty mask. Unless `orphan`, it dies with PID 1.

    Raises:
        OSError: no process or memory is left for another process.
    """
    parent = os.getpid()
    if pid := os.fork():
        return pid
    try:
        _exec(launch, inherit, 0 if orphan else parent)
    except Exception as fault:  # noqa: BLE001 (a fork must never return into PID 1's loop)
        if isinstance(fault, OSError):
            log.error("program.failed", program=launch.argv[0], problem=str(fault))
        else:
            log.unexpected("program.failed", fault, program=launch.argv[0])
        missing = getattr(fault, "errno", 0) in (errno.ENOENT, errno.ENOTDIR)
        os._exit(NOT_FOUND if missing else NOT_EXECUTABLE)
    finally:
        os._exit(NOT_EXECUTABLE)


def fork_into(work: "Callable[[], int]") -> int:
    """Fork and call `work()` in the child, which dies with PID 1; return the pid.

    Raises:
        OSError: there is no room for another process.
    """
    parent = os.getpid()
    if pid := os.fork():
        return pid
    code = 1
    try:
        prctl.die_with_parent(parent)
        _be_ordinary()
        code = work()
    except BaseException as bug:  # noqa: BLE001 (a fork must never return into PID 1's loop)
        log.unexpected("process.failed", bug)
    finally:
        os._exit(code)


def _exec(launch: "Launch", inherit: "tuple[int, ...]", parent: int) -> "NoReturn":
    if parent:
        prctl.die_with_parent(parent)
    first = _FIRST_OTHER_DESCRIPTOR
    for descriptor in sorted(inherit):
        os.closerange(first, descriptor)
        os.set_inheritable(descriptor, True)  # noqa: FBT003 (the call takes no keyword)
        first = descriptor + 1
    # Also what the container's runtime has left open in PID 1.
    os.closerange(first, _HIGHEST_DESCRIPTOR)
    os.chdir(launch.cwd)
    _be_ordinary()
    os.execve(launch.argv[0], launch.argv, launch.environment)  # noqa: S606 (no shell wanted)


def _be_ordinary() -> None:
    """Reset what PID 1 set, and what it inherited: mask, dispositions, terminal.

    Python ignores PIPE and XFSZ. The program that started PID 1 may ignore HUP (nohup) or CHLD. A
    separate session keeps a terminal's Ctrl-C from the engine: PID 1 alone decides what it means.
    """
    for number in signal.valid_signals():
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
    os.setsid()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def meaning(status: int) -> int:
    """Turn a wait status into an exit code: the code itself, or 128+n for signal n."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
