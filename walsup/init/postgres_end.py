"""How postgres has ended, noted in the data directory: an agent that hangs or is dead cannot.

The next start accepts a pg_control that says "shut down" without the agent's note of it when this
file has the very same bytes: then no server was started in between.
"""

# ruff: noqa: PTH105, PTH118, PTH120, PTH123 -- pathlib would cost PID 1 a megabyte

import os

from walsup import log
from walsup.init import spawn

FILE = ".walsup-ended"
CONTROL_BYTES = 512  # Source: PostgreSQL 11 to 18, pg_control.h, PG_CONTROL_MAX_SAFE_SIZE


def note(pgdata: str, boot: str) -> int:
    """Note pg_control as the run `boot` has left it, in a child: the disk may hang.

    Returns the child's pid; 0: there is none.
    """
    try:
        with open(os.path.join(pgdata, "global", "pg_control"), "rb") as file:
            text = f"{boot} {file.read(CONTROL_BYTES).hex()}\n"
        return spawn.fork_into(lambda: _write(os.path.join(pgdata, FILE), text))
    except OSError as fault:
        log.warning("end.not_noted", problem=str(fault))
        return 0


def _write(path: str, text: str) -> int:
    try:
        descriptor = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        os.replace(path + ".new", path)
        folder = os.open(os.path.dirname(path), os.O_RDONLY)
        os.fsync(folder)
    except OSError as fault:
        log.warning("end.not_noted", problem=str(fault))
        return 1
    return 0
