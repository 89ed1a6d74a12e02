"""Finds settings that are too low for a recovery with sessions to continue.

When it replays a start of its primary with higher values, postgres pauses from version 14 on, and
ends when it is resumed. pg_control then has the new values, and the next start of walsup uses them.
"""

from collections.abc import Mapping
from pathlib import Path

from walsup.postgres import pg_control


def too_low(pgdata: Path, running: Mapping[str, int]) -> str:
    """Return which of the running values are too low, each with the value needed; "" for none.

    Raises:
        WalsupError: pg_control cannot be read.
    """
    lower = [
        f"{name} is {running[name]}, the WAL needs {needed}"
        for name, needed in pg_control.read(pgdata).limits
        if running.get(name, needed) < needed
    ]
    return ", ".join(lower)
