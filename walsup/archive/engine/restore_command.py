"""restore_command: constant, the engine's client, and a client of the agent. Pure.

A miss has many reasons, and WAL-RUS calls a wrong secret "absent": the agent finds out in the
bucket what a miss means (rules gap-is-not-the-end and no-bare-client). Its client is a small
program of the standard library that waits for the agent, however long it takes; its exit code is
restore_command's. It also examines a fetched file where the agent has not done so before: 35 ms a
segment for its start alone.
"""

import shlex
import sys
from pathlib import Path

from walsup.archive.engine import restore_client
from walsup.archive.engine.adapter import Engine

# Files in the run directory.
READER_SOCKET = "reader.sock"
PROXY_SOCKET = "fetch.sock"  # the agent's socket; the agent asks the reader daemon
READER_CONFIG = "reader.json"
MISS_SOCKET = "judge.sock"  # where the agent answers for misses
ENDED = "restore-ended"
PROGRESS = "restore-progress.json"

STANDBY_PATIENCE_S = 2

_CLIENT_TIMEOUT_S = 60
_KILL_AFTER_S = 5
_OWN_FILE = "%p.$$"


def restore_command(engine: Engine, run_dir: Path, until: str = "") -> str:
    """Return the command; nothing after the segment `until` is requested.

    A restore to a moment, from an archive that is still written to, must not pass that moment.
    """
    # Nothing reaches postgres unchecked: the agent checks each file before it answers.
    bound = f"[ %f \\> {until} ] && ask; " if until else ""
    hit = f"{_fetch(engine, run_dir, '%p', _CLIENT_TIMEOUT_S)} 2>/dev/null"
    then = "exit" if engine.has_daemon else "ask inf fetched"
    return f'ask() {{ exec {_ask(run_dir)} "$@"; }}; {bound}{hit} && {then}; ask'


def standby_command(engine: Engine, run_dir: Path) -> str:
    """Return the command of a standby: each failure is 1, soon; a code over 125 would end it.

    Rule standby-survives.

    A client that was given up leaves a daemon that may write later: each has a separate file. The
    agent decides about history files: one that exists may belong to another line.
    """
    fetch = _fetch(engine, run_dir, _OWN_FILE, STANDBY_PATIENCE_S)
    moved = f"mv {_OWN_FILE} %p && fetched=fetched"
    hit = f"{fetch} >/dev/null 2>&1 && " + (
        f"exec mv {_OWN_FILE} %p" if engine.has_daemon else moved
    )
    miss = f"{_ask(run_dir)} {STANDBY_PATIENCE_S} $fetched"
    return f"fetched=; case %f in *.history) ;; *) {hit} ;; esac; {miss} || exit 1"


def _fetch(engine: Engine, run_dir: Path, target: str, timeout_s: int) -> str:
    socket, config = run_dir / PROXY_SOCKET, run_dir / READER_CONFIG
    timeout = f"{timeout_s}s"
    if not engine.has_daemon:
        words = ["timeout", "-k", str(_KILL_AFTER_S), str(timeout_s)]
        words += [str(engine.program), "--config", str(config), "wal-fetch", "%f", target]
    elif engine.client:
        words = [str(engine.client), str(socket), "wal-fetch", "%f", target, "-timeout", timeout]
    else:
        words = [str(engine.program), "daemon-client", "--socket", str(socket)]
        words += ["--timeout", timeout, "wal-fetch", "%f", target]
    return _joined(words)


def _ask(run_dir: Path) -> str:
    asked = [sys.executable, "-I", "-S", str(Path(restore_client.__file__).resolve())]
    return _joined([*asked, str(run_dir / MISS_SOCKET), "%f", "%p"])


def _joined(words: list[str]) -> str:
    """Quote for the shell; postgres replaces %f and %p, other percent signs are doubled for it."""
    return " ".join(
        word if word in ("%f", "%p", _OWN_FILE) else shlex.quote(word).replace("%", "%%")
        for word in words
    )
