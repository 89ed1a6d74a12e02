"""The process that recovers, as /proc shows it: which segment it is at."""

import re
from pathlib import Path

# Source: PostgreSQL 11 to 18, xlogrecovery.c and ps_status.c; cluster_name stands before it.
_TITLE = re.compile(r"postgres: (?:.*: )?startup\s+(recovering|waiting for) ([0-9A-F]{24})")


def segment(postmaster_pid: int, proc: Path = Path("/proc")) -> str:
    """Give the name of the segment that is being replayed, "" when none is."""
    return _found(postmaster_pid, proc, "recovering")


def awaited(postmaster_pid: int, proc: Path = Path("/proc")) -> str:
    """Give the name of the segment that is waited for: all before is read; "" when none is."""
    return _found(postmaster_pid, proc, "waiting for")


def _found(postmaster_pid: int, proc: Path, doing: str) -> str:
    if not postmaster_pid:
        return ""
    children = _read(proc / str(postmaster_pid) / "task" / str(postmaster_pid) / "children")
    for pid in children.split():
        found = _TITLE.match(_read(proc / pid / "cmdline").replace("\0", " "))
        if found and found[1] == doing:
            return found[2]
    return ""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
