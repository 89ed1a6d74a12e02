"""The files in pg_wal/archive_status that wait for the archiver; only PostgreSQL writes them."""

import os
from pathlib import Path
from typing import NamedTuple

from walsup.errors import WalsupError
from walsup.postgres.wal_files import timeline_history

SUFFIX = ".ready"
_TIMELINE_DIGITS = 8


class Ready(NamedTuple):
    """Names in the order of their WAL: those of this cluster's history, and all others.

    `foreign`: a `.ready` that was made by hand; its object would be a branch's.
    """

    own: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()


def ready_names(pgdata: Path) -> Ready:
    """Return the waiting files. If the history cannot be read, all count as the cluster's."""
    try:
        with os.scandir(pgdata / "pg_wal" / "archive_status") as entries:
            names = sorted(e.name.removesuffix(SUFFIX) for e in entries if e.name.endswith(SUFFIX))
    except FileNotFoundError:
        return Ready()
    try:
        own = {f"{timeline:08X}" for timeline in timeline_history.own(pgdata)}
    except (WalsupError, OSError, ValueError):
        return Ready(own=tuple(names))
    return Ready(
        own=tuple(name for name in names if name[:_TIMELINE_DIGITS] in own),
        foreign=tuple(name for name in names if name[:_TIMELINE_DIGITS] not in own),
    )
