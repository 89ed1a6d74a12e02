"""archive_command: constant, without Python, no code over 125, refused without a lease. Pure.

Rule archive-settings.

The lease is a file with the uptime (seconds) until which this instance may write. A process that
was stopped for longer than that, and continues, must not upload what another start has taken over
in the meantime; the check needs no other process. After it the file has the timelines of this
cluster's history: a file of another timeline that postgres is to archive (a `.ready` made by hand)
would be a branch in the archive. The check uses only builtins of the shell: no fork.
"""

import os
import shlex
from collections.abc import Iterable
from pathlib import Path

from walsup.archive.engine.adapter import ALONE, Engine

# Files in the run directory.
SOCKET = "engine.sock"
CONFIG = "engine.json"
LEASE = "lease"
MANY = "many-ready"  # while many files wait: whether another timeline's is among them

# Source: PostgreSQL 15, pgarch.c: MAXPGPATH with its end; a longer command is cut silently.
MOST_BYTES = 1023
_LONGEST_NAME = len("000000010000000000000001.00000028.backup")
_DIGITS = 12
_CLIENT_MARGIN_S = 3
_KILL_AFTER_S = 5.0
_WITHOUT_DAEMON_S = 60.0


def archive_command(engine: Engine, run_dir: Path, push_timeout_s: float) -> str:
    """Return the command; without the lease's file archiving is disabled.

    Directory and engine are named once: PostgreSQL before 16 cuts what is longer than MOST_BYTES.
    """
    named = f"r={_quoted(str(run_dir))} e={_quoted(str(engine.program))}"
    push, alone = (
        _push(engine, '"$r"', '"$e"', push_timeout_s, alone=alone) for alone in (False, True)
    )
    choice = f"if [ $alone ]; then {alone} ; else {push} ; fi"
    if engine.name == "wal-g":
        # At an immediate shutdown postgres sends SIGQUIT to shell and client: Go's runtime shows
        # 150 lines of stacks then, and the shell, which would pass them on, has ended.
        said = f"m=$({choice} 2>&1)"
        failed = '{ [ -z "$m" ] || echo "$m" >&2; exit 1; }'
        return f"{named} m=; {_check()} && {_foreign()} && {said} || {failed}"
    return f"{named}; {_check()} && {_foreign()} && {choice} || exit 1"


def longest(command: str) -> int:
    """Return the maximum length in bytes of the command after PostgreSQL's substitutions."""
    name = "0" * _LONGEST_NAME
    told = command.replace("%%", "\0").replace("%p", f"pg_wal/{name}").replace("%f", name)
    return len(os.fsencode(told))


def push_command(engine: Engine, run_dir: Path, push_timeout_s: float) -> str:
    """Return the push alone: the bare client of the daemon, or the engine itself."""
    where, program = _quoted(str(run_dir)), _quoted(str(engine.program))
    return _push(engine, where, program, push_timeout_s)


def _push(
    engine: Engine, where: str, program: str, push_timeout_s: float, *, alone: bool = False
) -> str:
    """Return the push, with the run directory and the engine's program as words of the shell.

    `alone`: only this file. Otherwise both engines also push what else is `.ready`.
    """
    socket, config = f"{where}/{SOCKET}", f"{where}/{CONFIG}"
    timeout = f"{round(push_timeout_s) + _CLIENT_MARGIN_S}s"
    if alone or not engine.has_daemon:
        # Killed by then as well: a longer push may meet another writer (rule one-owner).
        kill_after_s = min(_KILL_AFTER_S, push_timeout_s / 4)
        bound_s = min(_WITHOUT_DAEMON_S, push_timeout_s - kill_after_s)
        words = [*(ALONE if alone else ()), "timeout", "-k", f"{kill_after_s:g}", f"{bound_s:g}"]
        words += [program, "--config", config, "wal-push", "%p"]
    elif engine.client:
        words = [_quoted(str(engine.client)), socket, "wal-push", "%f", "-timeout", timeout]
    else:
        words = [program, "daemon-client", "--socket", socket]
        words += ["--timeout", timeout, "wal-push", "%f"]
    return " ".join(words)


def _foreign() -> str:
    """Set `alone` when a file of another timeline waits as well.

    With thousands of files the shell would take longer than a push does: then the agent looks.
    """
    each = (
        'f=${f##*/}; case " $own " in *" ${f%%"${f#????????}"} "*) ;;'
        " *) case $f in [*]*) ;; *) alone=1; esac; esac"
    )
    return (
        f'{{ read -r alone <"$r"/{MANY} || {{ alone=;'
        f" for f in pg_wal/archive_status/*.ready; do {each}; done; }}; }} 2>/dev/null"
    )


def lease_line(until: int, timelines: Iterable[int]) -> str:
    """Return the line of the lease's file, at one width for the same timelines."""
    own = " ".join(f"{timeline:08X}" for timeline in sorted(timelines))
    return f"{until:0{_DIGITS}} {own}\n"


def _check() -> str:
    reading = f'{{ read -r up _ </proc/uptime && read -r until own <"$r"/{LEASE}; }} 2>/dev/null'
    # The first eight digits are the timeline of any file that postgres archives.
    is_own = '{ f=%f; case " $own " in *" ${f%%"${f#????????}"} "*) ;; *) false; esac; }'
    return f'{reading} && [ "${{up%%.*}}" -lt "$until" ] && {is_own}'


def _quoted(word: str) -> str:
    """Quote for the shell; postgres replaces %f, so other percent signs are doubled."""
    return shlex.quote(word).replace("%", "%%")
