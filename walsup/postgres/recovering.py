"""The process that recovers, as /proc shows it: which segment it is at."""

import re
from pathlib import Path

# Source: PostgreSQL 11 to 18, xlogrecovery.c and ps_status.c; cluster_name stands before it.
_TITLE = re.compile(r"postgres: (?:.*: )?startup\s+recovering ([0-9A-F]{24})")


def segment(postmaster_pid: int, proc: Path = Path("/proc")) -> str:
    """Give the name of the segment that is being replayed, "" when none is."""
    if not postmaster_pid:
        return ""
    children = _read(proc / str(postmaster_pid) / "task" / str(postmaster_pid) / "children")
    for pid in children.split():
        if found := _TITLE.match(_read(proc / pid / "cmdline").replace("\0", " ")):
            return found[1]
    return ""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
