"""The postmaster's archiver in /proc: whether it exists, runs, and is busy."""

import re
from pathlib import Path
from typing import NamedTuple

# Source: pgarch.c and ps_status.c, PostgreSQL 11 to 18; cluster_name comes before it.
_TITLE = re.compile(r"postgres: (?:.*: )?archiver(?: (?:archiving|failed on|last was) \S+)?\s*")
_STOPPED = "Tt"


class Archiver(NamedTuple):
    """`state` as in /proc (S, T, …); `push` is its child, 0 between two pushes."""

    pid: int
    state: str
    push: int
    push_state: str = ""

    @property
    def stopped(self) -> str:
        """Return what was stopped by a signal: the archiver, its push, or nothing ("")."""
        if self.state in _STOPPED:
            return f"the archiver (pid {self.pid})"
        if self.push and self.push_state in _STOPPED:
            return f"the archive_command (pid {self.push})"
        return ""


def find(
    postmaster_pid: int, proc: Path = Path("/proc"), *, before_pid: int = 0
) -> Archiver | None:
    """Return the archiver among the postmaster's children; None when there is none now.

    `before_pid`: that of the last call. Its own files are read first: a server may have hundreds of
    children.
    """
    if (
        before_pid
        and _parent(proc, before_pid) == postmaster_pid
        and _is_archiver(proc, before_pid)
    ):
        return _shown(proc, before_pid)
    for pid in _children(proc, postmaster_pid):
        if _is_archiver(proc, pid):
            return _shown(proc, pid)
    return None


def is_pushing(archiver_pid: int, proc: Path = Path("/proc")) -> bool:
    """Return whether this archiver runs its command now; cheap enough for frequent calls."""
    return bool(_children(proc, archiver_pid))


def has_push_of(config: Path, proc: Path = Path("/proc")) -> bool:
    """Return whether an engine with this configuration pushes, also without its archiver.

    The archiver's push survives a crash of the postmaster.
    """
    for path in proc.glob("[0-9]*/cmdline"):
        words = _read(path).split("\0")
        if "wal-push" in words and str(config) in words:
            return True
    return False


def _is_archiver(proc: Path, pid: int) -> bool:
    title = _read(proc / str(pid) / "cmdline").replace("\0", " ")
    return _TITLE.fullmatch(title) is not None


def _shown(proc: Path, pid: int) -> Archiver:
    push = next(iter(_children(proc, pid)), 0)
    return Archiver(pid, _state(proc, pid), push, _deep_state(proc, push) if push else "")


def _deep_state(proc: Path, pid: int) -> str:
    """Return the state of a push: of the shell, or of its child when that is stopped."""
    states = [_state(proc, pid), *(_state(proc, child) for child in _children(proc, pid))]
    return next((state for state in states if state and state in _STOPPED), states[0])


def _children(proc: Path, pid: int) -> list[int]:
    # Neither postmaster nor archiver nor shell has threads: the single task has all children.
    return [int(word) for word in _read(proc / str(pid) / "task" / str(pid) / "children").split()]


def _state(proc: Path, pid: int) -> str:
    return _stat(proc, pid)[0]


def _parent(proc: Path, pid: int) -> int:
    return int(_stat(proc, pid)[1] or 0)


def _stat(proc: Path, pid: int) -> tuple[str, str]:
    """Return state and parent; "" when the process has ended."""
    words = _read(proc / str(pid) / "stat").rpartition(") ")[2].split()
    return (words[0][:1], words[1]) if len(words) > 1 else ("", "")


def _read(path: Path) -> str:
    """Return a file of /proc, "" when the process has ended."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
