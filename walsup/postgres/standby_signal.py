"""Whether a data directory is a standby's, by postgres's signal file."""

import os
import re
from pathlib import Path

SLOTS = "walsup_standby_"
_LONGEST = 40  # Source: PostgreSQL 15, slot.c: 63 bytes, of which the prefix takes some
SIGNAL = "standby.signal"


def is_standby(pgdata: Path) -> bool:
    """Return whether postgres is a standby here; it removes the file when it is promoted."""
    return os.path.exists(pgdata / SIGNAL)  # noqa: PTH110 (asked twenty times a second)


def ordinal(hostname: str) -> int | None:
    """Return the number of a StatefulSet's pod. None: the name has none."""
    found = re.fullmatch(r".*-(\d+)", hostname)
    return int(found[1]) if found else None


def slot_name(hostname: str, instance: str) -> str:
    """Return the name of a standby's slot, from its pod's lasting name, else its directory."""
    own = hostname if ordinal(hostname) is not None else instance
    return SLOTS + re.sub(r"[^a-z0-9_]", "_", own.lower())[-_LONGEST:]
