"""restore_command: constant, the engine's client for a hit, a messenger to the judge for a miss.

Pure. A miss has many reasons, and WAL-RUS calls a wrong secret "absent": what a miss means is
found out by the agent, in the bucket (S14, S16). The messenger is a small program of the standard
library that waits for the agent, however long it takes; its exit code is restore_command's.
"""

import shlex
import sys
from pathlib import Path

from walsup.archive import messenger
from walsup.archive.engine import Engine

# What lies in the run directory.
READER_SOCKET = "reader.sock"
READER_CONFIG = "reader.json"
JUDGE_SOCKET = "judge.sock"
ENDED = "restore-ended"
PROGRESS = "restore-progress.json"

_CLIENT_TIMEOUT_S = 60
_KILL_AFTER_S = 5


def restore_command(engine: Engine, run_dir: Path, until: str = "") -> str:
    """Give the command; what lies behind the segment `until` is not even asked for.

    An archive that is written to while a moment of it is restored must not pass that moment.
    """
    socket, config = run_dir / READER_SOCKET, run_dir / READER_CONFIG
    timeout = f"{_CLIENT_TIMEOUT_S}s"
    if not engine.has_daemon:
        words = ["timeout", "-k", str(_KILL_AFTER_S), str(_CLIENT_TIMEOUT_S)]
        words += [str(engine.program), "--config", str(config), "wal-fetch", "%f", "%p"]
    elif engine.client:
        words = [str(engine.client), str(socket), "wal-fetch", "%f", "%p", "-timeout", timeout]
    else:
        words = [str(engine.program), "daemon-client", "--socket", str(socket)]
        words += ["--timeout", timeout, "wal-fetch", "%f", "%p"]
    asked = [sys.executable, "-I", "-S", str(Path(messenger.__file__).resolve())]
    asked += [str(run_dir / JUDGE_SOCKET), "%f", "%p"]
    bound = f"[ %f \\> {until} ] || " if until else ""
    hit = f"{_joined(words)} 2>/dev/null"
    miss = f"exec {_joined(asked)}"
    # Without a bound the client stands alone; with one a name behind it is a miss at once.
    return f"if {bound}! {hit}; then {miss}; fi" if bound else f"{hit} || {miss}"


def _joined(words: list[str]) -> str:
    """Quote for the shell; postgres replaces %f and %p, other percent signs are doubled for it."""
    return " ".join(
        word if word in ("%f", "%p") else shlex.quote(word).replace("%", "%%") for word in words
    )
