"""The data directory before postgres gets it: its mode, and room for a recovery."""

import os
import stat
from pathlib import Path

from walsup import log
from walsup.errors import PermissionsError
from walsup.postgres import reserve

_MODES = (0o700, 0o750)


def check_mode(pgdata: Path) -> None:
    """Close PGDATA to others, as postgres insists (S10).

    Raises:
        PermissionsError: it is another user's.
    """
    status = pgdata.stat()
    if status.st_uid != os.geteuid():
        raise PermissionsError(
            f"the data directory {pgdata} belongs to uid {status.st_uid}, this is {os.geteuid()}",
            hint="set PGDATA to a sub-directory of the volume, which walsup makes as its own, or"
            " change the owner of the directory",
        )
    if stat.S_IMODE(status.st_mode) not in _MODES:
        pgdata.chmod(0o700)


def make_room(pg_wal: Path, segment_bytes: int) -> None:
    """Let postgres end its recovery on a full disk (S25); without that nothing is ever archived."""
    try:
        segments = reserve.give_up(pg_wal, segment_bytes)
    except OSError as fault:
        log.warning("reserve.kept", problem=str(fault))
        return
    if segments:
        log.warning("reserve.given_up", segments=segments, why="the disk of pg_wal is nearly full")
