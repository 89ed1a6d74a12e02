"""Walsenders that keep a shutdown from its checkpoint, as /proc shows them, and their end.

The checkpointer writes the shutdown checkpoint when each walsender has noticed the shutdown. One
whose client reads nothing never does: it waits to send, until wal_sender_timeout (60 s) ends it.
Source: PostgreSQL 15, xlog.c (ShutdownXLOG), walsender.c (WalSndWaitStopping, WalSndLoop).
"""

import contextlib
import os
import re
import signal
from pathlib import Path
from typing import NamedTuple

# Titles of what is left when only walsenders are waited for; cluster_name stands before them.
# Source: postmaster.c and ps_status.c, PostgreSQL 11 to 18.
_LEFT = re.compile(
    r"postgres: (?:.*: )?(?:checkpointer|archiver|logger|stats collector|io worker|walsender)\b.*"
)
_STREAMING = re.compile(r" streaming ([0-9A-F]+)/([0-9A-F]+)")
_WALSENDER = re.compile(r"postgres: (?:.*: )?walsender\b.*")


class Child(NamedTuple):
    """A child of the postmaster."""

    pid: int
    title: str


def children(postmaster_pid: int, proc: Path = Path("/proc")) -> list[Child]:
    """Return the children of the postmaster with their titles."""
    listed = _read(proc / f"{postmaster_pid}/task/{postmaster_pid}/children")
    return [Child(int(pid), _title(proc, int(pid))) for pid in listed.split()]


def waited_for(found: list[Child]) -> list[Child]:
    """Return the walsenders when nothing else keeps a shutdown from its checkpoint or its end.

    Those that have sent the least come first: one that hangs stands between others that do not.
    """
    if not all(_LEFT.fullmatch(child.title) for child in found):
        return []
    return sorted((c for c in found if _WALSENDER.fullmatch(c.title)), key=_sent_lsn)


def end(walsender: Child, proc: Path = Path("/proc")) -> None:
    """Ask a walsender to end, also one that has been stopped by a signal.

    It tells its client why, and hangs in that when the client reads nothing; being asked again
    ends it then. KILL would make postgres recover from a crash.
    """
    with contextlib.suppress(OSError):  # it has ended meanwhile
        handle = os.pidfd_open(walsender.pid)
        try:
            if _title(proc, walsender.pid) == walsender.title:
                signal.pidfd_send_signal(handle, signal.SIGTERM)
                signal.pidfd_send_signal(handle, signal.SIGCONT)
        finally:
            os.close(handle)


def _sent_lsn(walsender: Child) -> int:
    found = _STREAMING.search(walsender.title)
    return (int(found[1], 16) << 32) + int(found[2], 16) if found else 0


def _title(proc: Path, pid: int) -> str:
    return _read(proc / str(pid) / "cmdline").replace("\0", " ").strip()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
