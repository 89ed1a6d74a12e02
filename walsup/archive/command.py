"""archive_command: constant, without Python, never a code over 125, refused without a lease (S7).

Pure. The lease is a file with the uptime (seconds) until which we may write. Who was stopped for
longer than that, and goes on, must not upload what another start has meanwhile taken over; no
process of ours need be awake for that. The check is made of a shell's own words: no fork.
"""

import shlex
from pathlib import Path

from walsup.archive.engine import Engine

# What lies in the run directory.
SOCKET = "engine.sock"
CONFIG = "engine.json"
LEASE = "lease"

_CLIENT_MARGIN_S = 3
_KILL_AFTER_S = 5.0
_WITHOUT_DAEMON_S = 60.0


def archive_command(engine: Engine, run_dir: Path, push_timeout_s: float) -> str:
    """Give the command; without the lease's file, the gate is shut."""
    check = _check(run_dir / LEASE)
    return f"{check} && {push_command(engine, run_dir, push_timeout_s)} || exit 1"


def push_command(engine: Engine, run_dir: Path, push_timeout_s: float) -> str:
    """Give the push alone: the bare client of the daemon, or the engine itself."""
    socket, config = run_dir / SOCKET, run_dir / CONFIG
    timeout = f"{round(push_timeout_s) + _CLIENT_MARGIN_S}s"
    if not engine.has_daemon:
        # Killed by then as well: what goes on for longer may meet another writer (S2).
        kill_after_s = min(_KILL_AFTER_S, push_timeout_s / 4)
        bound_s = min(_WITHOUT_DAEMON_S, push_timeout_s - kill_after_s)
        words = ["timeout", "-k", f"{kill_after_s:g}", f"{bound_s:g}"]
        words += [str(engine.program), "--config", str(config), "wal-push", "%p"]
    elif engine.client:
        words = [str(engine.client), str(socket), "wal-push", "%f", "-timeout", timeout]
    else:
        words = [str(engine.program), "daemon-client", "--socket", str(socket)]
        words += ["--timeout", timeout, "wal-push", "%f"]
    return " ".join(word if word in ("%f", "%p") else _quoted(word) for word in words)


def _check(lease: Path) -> str:
    reading = (
        f"{{ read -r up _ </proc/uptime && read -r until <{_quoted(str(lease))}; }} 2>/dev/null"
    )
    return f'{reading} && [ "${{up%%.*}}" -lt "$until" ]'


def _quoted(word: str) -> str:
    """Quote for the shell; postgres replaces %f, so a percent sign of ours is doubled for it."""
    return shlex.quote(word).replace("%", "%%")
