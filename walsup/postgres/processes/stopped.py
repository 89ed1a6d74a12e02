"""Postgres's own processes in /proc: which of them a signal has stopped."""

import re
from pathlib import Path
from typing import NamedTuple

# Source: PostgreSQL 11 to 18, ps_status.c and pgstat backend types; cluster_name comes before it.
# The archiver has its own loop. A backend's title begins with the name of its role.
_TITLE = re.compile(
    r"postgres: (?:\S.*: )?(checkpointer|background writer|walwriter|logger|startup|walreceiver"
    r"|walsummarizer|io worker \d+|autovacuum launcher|logical replication launcher)"
    r"(?:\s+(?:recovering|waiting for|streaming)\b.*)?\s*"
)
_STOPPED = "T"
_SESSION = "-"


class Process(NamedTuple):
    """A process of postgres and its kind."""

    pid: int
    name: str


class Processes:
    """Remembers the kinds of the postmaster's children, so that a check costs little."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._known: dict[int, str] = {}

    def stopped(self, postmaster_pid: int) -> list[Process]:
        """Return the processes that a signal has stopped, the postmaster first."""
        if not postmaster_pid:
            return []
        path = self._proc / str(postmaster_pid) / "task" / str(postmaster_pid) / "children"
        children = [int(word) for word in _read(path).split()]
        self._known = {pid: self._known.get(pid) or self._name(pid) for pid in children}
        named = {postmaster_pid: "postmaster"}
        named |= {pid: name for pid, name in self._known.items() if name not in ("", _SESSION)}
        return [Process(pid, name) for pid, name in named.items() if self._is_stopped(pid)]

    def _name(self, pid: int) -> str:
        """Return a child's kind, a session for any other; "" while it has no title yet."""
        title = _read(self._proc / str(pid) / "cmdline").replace("\0", " ")
        if not title.startswith("postgres: "):
            return ""
        found = _TITLE.fullmatch(title)
        return found[1] if found else _SESSION

    def _is_stopped(self, pid: int) -> bool:
        stat = _read(self._proc / str(pid) / "stat")
        return stat.rpartition(") ")[2][:1] == _STOPPED


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
