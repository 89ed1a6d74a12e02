"""Being a real PID 1: a PID namespace where this machine allows one, and the processes in it."""

import contextlib
import functools
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

_START_TIMEOUT_S = 10.0
_PID_NAMESPACE = ("--pid", "--fork", "--kill-child", "--mount-proc", "--")


class Member(NamedTuple):
    """A process under walsup. `inner_pid` is its number inside the namespace."""

    outer_pid: int
    inner_pid: int
    state: str  # as in /proc: R, S, D, T, Z …
    argv: list[str]


@functools.cache
def launcher() -> tuple[str, ...]:
    """The words before a command that make it PID 1 of a namespace; none where not allowed."""
    for identity in ((), ("--user", "--map-current-user")):
        words = ("unshare", *identity, *_PID_NAMESPACE)
        if os.geteuid() != 0 and not identity:
            continue
        probe = subprocess.run([*words, "true"], check=False, capture_output=True)
        if probe.returncode == 0:
            return words
    return ()


def find_init(process: "subprocess.Popen[bytes]") -> int:
    """The outer pid of the program that `process` (with `launcher()` before it) became PID 1 as.

    Returns when that program runs with its signals blocked: what is sent from then on counts.
    unshare itself must never be signalled, it is no part of the container.

    Raises:
        FileNotFoundError: the program has ended already.
    """
    deadline = time.monotonic() + _START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        pid = _only_child(process.pid) if launcher() else process.pid
        if pid and _blocks_signals(pid) and (not launcher() or _is_apart(pid)):
            return pid
        time.sleep(0.001)
    problem = f"{process.args!r} is not there as PID 1; exit code {process.returncode}"
    raise FileNotFoundError(problem)


class Container:
    """The processes under one PID 1, dead ones not yet reaped included."""

    def __init__(self, init_pid: int) -> None:
        self.init_pid = init_pid
        # Held open, for the kernel gives the number of a namespace that has gone to a new one:
        # a late clean-up would kill the processes of another test. Without a namespace there is
        # nothing to compare, and the kernel hides it where a process keeps its memory private.
        if launcher() and not _is_apart(init_pid):
            # Its members would be all processes of this machine.
            problem = f"process {init_pid} is in no namespace of its own"
            raise FileNotFoundError(problem)
        self._held = os.open(f"/proc/{init_pid}/ns/pid", os.O_RDONLY) if launcher() else None

    def close(self) -> None:
        """Let the namespace go."""
        if self._held is not None:
            os.close(self._held)

    def members(self) -> list[Member]:
        """All processes; without a namespace of its own, PID 1 and what is below it."""
        if launcher():
            pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        else:
            pids = [self.init_pid, *descendants(self.init_pid)]
        found = (self._member(pid) for pid in pids)
        return [member for member in found if member is not None]

    def kill(self) -> None:
        """Kill all; in a namespace the end of PID 1 takes the others with it."""
        for member in self.members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(member.outer_pid, signal.SIGKILL)

    def _member(self, pid: int) -> Member | None:
        try:
            if self._held is not None and not _is_in(pid, self._held):
                return None
            status = _status(pid)
            cmdline = Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
            inner_pid = int(status["NSpid"].split()[-1])
        except (OSError, KeyError):
            return None  # it ended while we looked
        # PostgreSQL overwrites its title and leaves the rest of the space as zeros.
        argv = cmdline.rstrip("\0").split("\0") if cmdline else []
        return Member(pid, inner_pid, status["State"][0], argv)


def _is_apart(pid: int) -> bool:
    """It is in another PID namespace than we are."""
    try:
        theirs = Path(f"/proc/{pid}/ns/pid").stat().st_ino
    except OSError:
        return False  # it ended
    return theirs != Path("/proc/self/ns/pid").stat().st_ino


def _is_in(pid: int, namespace: int) -> bool:
    return Path(f"/proc/{pid}/ns/pid").stat().st_ino == os.fstat(namespace).st_ino


def descendants(pid: int) -> list[int]:
    """The pids of all processes below `pid`, dead ones not yet reaped included."""
    found: list[int] = []
    for child in _children(pid):
        found += [child, *descendants(child)]
    return found


def real_uid(pid: int) -> int | None:
    """Who runs it; None when it has ended."""
    try:
        return int(_status(pid)["Uid"].split()[0])
    except (OSError, KeyError):
        return None


def _only_child(pid: int) -> int | None:
    children = _children(pid)
    return children[0] if children else None


def _children(pid: int) -> list[int]:
    """Its children; each of its threads may have some."""
    found: list[int] = []
    with contextlib.suppress(OSError):  # it ended
        for thread in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (thread / "children").read_text().split())
    return found


def _blocks_signals(pid: int) -> bool:
    try:
        is_unshare = Path(f"/proc/{pid}/comm").read_text().strip() == "unshare"
        return not is_unshare and int(_status(pid)["SigBlk"], 16) != 0
    except (OSError, KeyError):
        return False


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}
