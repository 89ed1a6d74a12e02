"""archive_command: constant, without Python, never a code over 125, refused without a lease (S7).

Pure. The lease is a file with the uptime (seconds) until which we may write. Who was stopped for
longer than that, and goes on, must not upload what another start has meanwhile taken over; no
process of ours need be awake for that. After it the file has the timelines of this cluster's
history: what postgres is told to archive of another one (a `.ready` made by hand) would be a branch
in the archive. The check is made of a shell's own words: no fork.
"""

import shlex
from collections.abc import Iterable
from pathlib import Path

from walsup.archive.engine import ALONE, Engine

# What lies in the run directory.
SOCKET = "engine.sock"
CONFIG = "engine.json"
LEASE = "lease"
MANY = "many-ready"  # there while many files wait: a line that says whether another's is among them

_DIGITS = 12
_CLIENT_MARGIN_S = 3
_KILL_AFTER_S = 5.0
_WITHOUT_DAEMON_S = 60.0


def archive_command(engine: Engine, run_dir: Path, push_timeout_s: float) -> str:
    """Give the command; without the lease's file, the gate is shut."""
    check = _check(run_dir / LEASE)
    push, alone = (
        push_command(engine, run_dir, push_timeout_s, alone=alone) for alone in (False, True)
    )
    choice = f"if [ $alone ]; then {alone} ; else {push} ; fi"
    return f"{check} && {_foreign(run_dir / MANY)} && {choice} || exit 1"


def push_command(
    engine: Engine, run_dir: Path, push_timeout_s: float, *, alone: bool = False
) -> str:
    """Give the push: the bare client of the daemon, or the engine itself.

    `alone`: nothing but this file. Else both engines push along what else is `.ready`.
    """
    socket, config = run_dir / SOCKET, run_dir / CONFIG
    timeout = f"{round(push_timeout_s) + _CLIENT_MARGIN_S}s"
    if alone or not engine.has_daemon:
        # Killed by then as well: what goes on for longer may meet another writer (S2).
        kill_after_s = min(_KILL_AFTER_S, push_timeout_s / 4)
        bound_s = min(_WITHOUT_DAEMON_S, push_timeout_s - kill_after_s)
        words = [*(ALONE if alone else ()), "timeout", "-k", f"{kill_after_s:g}", f"{bound_s:g}"]
        words += [str(engine.program), "--config", str(config), "wal-push", "%p"]
    elif engine.client:
        words = [str(engine.client), str(socket), "wal-push", "%f", "-timeout", timeout]
    else:
        words = [str(engine.program), "daemon-client", "--socket", str(socket)]
        words += ["--timeout", timeout, "wal-push", "%f"]
    return " ".join(word if word in ("%f", "%p") else _quoted(word) for word in words)


def _foreign(many: Path) -> str:
    """Set `alone` when a file of another timeline waits as well.

    With thousands of files the shell would take longer than a push does: then the agent looks.
    """
    each = (
        'f=${f##*/}; case " $own " in *" ${f%%"${f#????????}"} "*) ;;'
        " *) case $f in [*]*) ;; *) alone=1; esac; esac"
    )
    return (
        f"{{ read -r alone <{_quoted(str(many))} || {{ alone=;"
        f" for f in pg_wal/archive_status/*.ready; do {each}; done; }}; }} 2>/dev/null"
    )


def lease_line(until: int, timelines: Iterable[int]) -> str:
    """Give what the lease's file says, at one width for the same timelines."""
    own = " ".join(f"{timeline:08X}" for timeline in sorted(timelines))
    return f"{until:0{_DIGITS}} {own}\n"


def _check(lease: Path) -> str:
    reading = (
        f"{{ read -r up _ </proc/uptime && read -r until own <{_quoted(str(lease))}; }} 2>/dev/null"
    )
    # Its first eight digits are the timeline of any file that postgres archives.
    is_own = '{ f=%f; case " $own " in *" ${f%%"${f#????????}"} "*) ;; *) false; esac; }'
    return f'{reading} && [ "${{up%%.*}}" -lt "$until" ] && {is_own}'


def _quoted(word: str) -> str:
    """Quote for the shell; postgres replaces %f, so a percent sign of ours is doubled for it."""
    return shlex.quote(word).replace("%", "%%")
