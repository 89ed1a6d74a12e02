"""Starting programs: what a child of PID 1 is made of, and what its end means."""

import errno
import os
import signal
import sys

from walsup import kernel, log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

NOT_FOUND = 127
NOT_EXECUTABLE = 126


class Launch:
    """A program to run: argv (argv[0] is the path), its whole environment, its directory."""

    __slots__ = ("argv", "cwd", "environment")

    def __init__(self, argv: "list[str]", environment: "dict[str, str]", cwd: str = "/") -> None:
        self.argv = argv
        self.environment = environment
        self.cwd = cwd

    @classmethod
    def from_message(cls, message: "dict[str, object]") -> "Launch":
        """Build one from a line that prepare or the agent has written.

        Raises:
            ValueError: the message has another shape.
        """
        argv, environment = message.get("argv"), message.get("environment")
        if not isinstance(argv, list) or not argv or not isinstance(environment, dict):
            raise ValueError(f"not a launch: {sorted(message)}")
        cwd = message.get("cwd")
        return cls(
            [str(part) for part in argv],
            {str(key): str(value) for key, value in environment.items()},
            str(cwd or "/"),
        )


def spawn(launch: Launch, *, inherit: "tuple[int, ...]" = (), orphan: bool = False) -> int:
    """Fork and exec; gives the pid. `inherit`: descriptors that stay open over exec.

    The child has default dispositions and an empty mask. Unless `orphan`, it dies with PID 1.
    """
    parent = os.getpid()
    if pid := os.fork():
        return pid
    try:
        _exec(launch, inherit, 0 if orphan else parent)
    except OSError as fault:
        log.error("program.failed", program=launch.argv[0], problem=str(fault))
        os._exit(NOT_FOUND if fault.errno in (errno.ENOENT, errno.ENOTDIR) else NOT_EXECUTABLE)
    finally:
        os._exit(NOT_EXECUTABLE)


def fork_into(work: "Callable[[], int]") -> int:
    """Fork and call `work()` in the child, which dies with PID 1; gives the pid."""
    parent = os.getpid()
    if pid := os.fork():
        return pid
    code = 1
    try:
        _defaults()
        kernel.die_with_parent(parent)
        code = work()
    except BaseException:  # noqa: BLE001 (a fork must never return into PID 1's loop)
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def _exec(launch: Launch, inherit: "tuple[int, ...]", parent: int) -> None:
    for descriptor in inherit:
        os.set_inheritable(descriptor, True)
    if parent:
        kernel.die_with_parent(parent)
    os.chdir(launch.cwd)
    _defaults()
    os.execve(launch.argv[0], launch.argv, launch.environment)


def _defaults() -> None:
    # Python ignores PIPE and XFSZ and handles INT: a child that inherits this behaves oddly.
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def meaning(status: int) -> int:
    """Turn a wait status into an exit code: the code itself, or 128+n for signal n."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
