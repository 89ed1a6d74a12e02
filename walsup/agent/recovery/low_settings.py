"""Settings with which a recovery that lets sessions in cannot go on.

Replaying a start of its primary with higher values, postgres pauses from version 14 on, and ends
when it is resumed. By then pg_control has the new values, so the next start of walsup raises them.
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
