"""Settings without which a replication slot fills the disk, or cannot be made."""

import os
from collections.abc import Mapping
from pathlib import Path

_PART_OF_DISK = 8
_LEAST_MEBIBYTES = 256
_BOUND_SINCE = 13
_SLOTS = 10  # PostgreSQL's default
_UNBOUND = ("-1", "")


def settings(effective: Mapping[str, str], pgdata: Path) -> dict[str, str]:
    """Return a bound for kept WAL and room for slots, unless the operator has set them.

    A standby that never returns would keep WAL until the disk is full, and postgres ends.
    """
    rendered: dict[str, str] = {}
    major = (pgdata / "PG_VERSION").read_text(encoding="ascii").partition(".")[0]
    if int(major) >= _BOUND_SINCE and effective.get("max_slot_wal_keep_size", "-1") in _UNBOUND:
        disk = os.statvfs(pgdata / "pg_wal")
        mebibytes = (disk.f_blocks * disk.f_frsize >> 20) // _PART_OF_DISK
        rendered["max_slot_wal_keep_size"] = f"{max(_LEAST_MEBIBYTES, mebibytes)}MB"
    if effective.get("max_replication_slots", "10").strip() == "0":
        rendered["max_replication_slots"] = str(_SLOTS)
    return rendered
