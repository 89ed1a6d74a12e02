"""Whether a data directory is a standby's, as postgres itself has it: by its signal file."""

import os
from pathlib import Path

SIGNAL = "standby.signal"


def is_standby(pgdata: Path) -> bool:
    """Tell whether postgres follows here; it removes the file when it is promoted."""
    return os.path.exists(pgdata / SIGNAL)  # noqa: PTH110 (asked twenty times a second)
