"""The postmaster's children that delay a shutdown, in /proc, and how they are ended.

The checkpointer writes the shutdown checkpoint when each walsender has noticed the shutdown. A
walsender whose client reads nothing never does: it waits to send, until wal_sender_timeout (60 s)
ends it. Source: PostgreSQL 15, xlog.c (ShutdownXLOG), walsender.c (WalSndWaitStopping, WalSndLoop).
"""

import contextlib
import os
import re
import signal
from pathlib import Path
from typing import NamedTuple

# Titles of the processes that remain when only walsenders are waited for; cluster_name comes before
# them. Source: postmaster.c and ps_status.c, PostgreSQL 11 to 18.
_LEFT = re.compile(
    r"postgres: (?:.*: )?(?:checkpointer|archiver|logger|stats collector|io worker|walsender)\b.*"
)
_STREAMING = re.compile(r" streaming ([0-9A-F]+)/([0-9A-F]+)")
_WALSENDER = re.compile(r"postgres: (?:.*: )?walsender\b.*")


class Child(NamedTuple):
    """A child of the postmaster; `stopped` by a signal (SIGSTOP), so that it obeys no other."""

    pid: int
    title: str
    stopped: bool = False


def children(postmaster_pid: int, proc: Path = Path("/proc")) -> list[Child]:
    """Return the children of the postmaster with their titles."""
    listed = _read(proc / f"{postmaster_pid}/task/{postmaster_pid}/children")
    pids = [int(pid) for pid in listed.split()]
    return [Child(pid, _title(proc, pid), _is_stopped(proc, pid)) for pid in pids]


def waited_for(found: list[Child]) -> list[Child]:
    """Return the walsenders if nothing else delays the shutdown's checkpoint or its end.

    Those that have sent the least come first: one that hangs is behind others that do not.
    """
    if not all(_LEFT.fullmatch(child.title) for child in found):
        return []
    return sorted((c for c in found if _WALSENDER.fullmatch(c.title)), key=_sent_lsn)


def end(walsender: Child) -> None:
    """Send SIGTERM to a walsender.

    It reports the reason to its client, and hangs in that when the client reads nothing; a second
    signal ends it then. KILL would make postgres recover from a crash.
    """
    _send(walsender, signal.SIGTERM)


def resume(child: Child) -> None:
    """Continue a child of the postmaster that was stopped by a signal, so that it obeys others."""
    _send(child, signal.SIGCONT)


def _send(child: Child, number: int) -> None:
    with contextlib.suppress(OSError):  # it has ended meanwhile
        handle = os.pidfd_open(child.pid)
        try:
            if _title(Path("/proc"), child.pid) == child.title:
                signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)


def _sent_lsn(walsender: Child) -> int:
    found = _STREAMING.search(walsender.title)
    return (int(found[1], 16) << 32) + int(found[2], 16) if found else 0


def _title(proc: Path, pid: int) -> str:
    return _read(proc / str(pid) / "cmdline").replace("\0", " ").strip()


def _is_stopped(proc: Path, pid: int) -> bool:
    return _read(proc / str(pid) / "stat").rpartition(")")[2].split()[:1] == ["T"]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
