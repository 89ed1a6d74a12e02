"""The process that recovers, in /proc: which segment it replays."""

import re
from collections.abc import Iterator
from pathlib import Path

# Source: PostgreSQL 11 to 18, xlogrecovery.c and ps_status.c; cluster_name comes before it.
_STARTUP = re.compile(r"postgres: (?:.*: )?startup\b")
_TITLE = re.compile(r"postgres: (?:.*: )?startup\s+(recovering|waiting for) ([0-9A-F]{24})")


def segment(postmaster_pid: int, proc: Path = Path("/proc")) -> str:
    """Return the name of the segment that is being replayed, "" when none is."""
    return _found(postmaster_pid, proc, "recovering")


def awaited(postmaster_pid: int, proc: Path = Path("/proc")) -> str:
    """Return the name of the segment that it waits for, having read all before; "" when none."""
    return _found(postmaster_pid, proc, "waiting for")


def startup_pid(postmaster_pid: int, proc: Path = Path("/proc")) -> int:
    """Return the process that recovers, 0 when there is none."""
    return next((pid for pid, _ in _titles(postmaster_pid, proc)), 0)


def _found(postmaster_pid: int, proc: Path, doing: str) -> str:
    for _, title in _titles(postmaster_pid, proc):
        found = _TITLE.match(title)
        if found and found[1] == doing:
            return found[2]
    return ""


def _titles(postmaster_pid: int, proc: Path) -> Iterator[tuple[int, str]]:
    """Yield the startup process and its title."""
    if not postmaster_pid:
        return
    children = _read(proc / str(postmaster_pid) / "task" / str(postmaster_pid) / "children")
    for pid in children.split():
        title = _read(proc / pid / "cmdline").replace("\0", " ")
        if _STARTUP.match(title):
            yield int(pid), title


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
