"""The note of a restore in the data directory: its source, and whether it has ended.

It is written into the copy before that is moved into place, so a data directory that was fetched
and not yet recovered is never used as a database.
"""

import json
import os
from pathlib import Path
from typing import NamedTuple, Self

from walsup.errors import DataDirectoryError
from walsup.postgres import pg_control
from walsup.postgres.pg_control import DBState
from walsup.system.durable_files import write_durable

FILE = ".walsup-restore"
SIGNAL = "recovery.signal"
_NOT_PROMOTED = (
    *(DBState.STARTING_UP, DBState.SHUT_DOWN_IN_RECOVERY),
    *(DBState.IN_CRASH_RECOVERY, DBState.IN_ARCHIVE_RECOVERY),
)


class Restored(NamedTuple):
    """A restore that is in progress, or done.

    `own`: from this database's own archive. `legs`: the line, each leg (timeline, first LSN, LSN at
    which it is left or None). `wish`: the request, as one text to compare. `ends`: `end` (of the
    archive), `target`, or `quiet`: at the last commit, which is before the target. `region`: where
    the source's bucket is. `limits`: the highest known values of the five settings that the WAL may
    require. `timeline_after`: 0 until it is promoted. Times in Unix seconds.
    """

    source: str
    own: bool
    backup: str
    system_id: int
    legs: tuple[tuple[int, int, int | None], ...]
    segment_size: int
    first: str
    last: str
    target: str
    wish: str
    ends: str
    region: str | None = None
    accept_hole: str = ""
    action: str = "promote"
    began_at: float = 0.0
    ended_at: float = 0.0
    timeline_after: int = 0
    limits: tuple[tuple[str, int], ...] = ()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a note.

        Raises:
            ValueError, TypeError, KeyError: this is not a note.
        """
        fields = json.loads(text)
        fields["legs"] = tuple((int(n), int(b), e) for n, b, e in fields["legs"])
        fields["limits"] = tuple((str(n), int(v)) for n, v in fields.get("limits") or ())
        # A later version may have written more fields.
        return cls(**{name: value for name, value in fields.items() if name in cls._fields})


def read(pgdata: Path) -> Restored | None:
    """Return the note of the last restore into this directory. None: there was none.

    Raises:
        DataDirectoryError: it cannot be read.
    """
    path = pgdata / FILE
    try:
        return Restored.from_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as fault:
        raise DataDirectoryError(
            f"{path} cannot be read: {fault}",
            hint="empty the data directory; the restore then starts again",
        ) from fault


def write(pgdata: Path, found: Restored) -> None:
    """Write the note durably."""
    write_durable(pgdata / FILE, json.dumps(found._asdict(), indent=1) + "\n")


def is_under_way(pgdata: Path) -> bool:
    """Return whether a restore in this directory is not noted as done."""
    if not os.path.exists(pgdata / FILE):  # noqa: PTH110 (asked twenty times a second)
        return False
    found = read(pgdata)
    return found is not None and not found.ended_at


def is_recovering(pgdata: Path) -> bool:
    """Return whether a restore by walsup has not been promoted yet.

    postgres removes the signal file before it begins the new timeline: killed in between, and
    started without the file, it would continue on the old one, past any target.

    Raises:
        WalsupError: the note, or pg_control, cannot be read.
    """
    if not is_under_way(pgdata):
        return False
    return (pgdata / SIGNAL).exists() or pg_control.read(pgdata).state in _NOT_PROMOTED


def done_to(pgdata: Path, archive: str) -> str:
    """Return the target to which this directory was restored from that archive, "" if it was not.

    The end of the archive is not a target: such a restore may be repeated.
    """
    found = read(pgdata)
    if found is None or not found.ended_at or not found.own or found.source != archive:
        return ""
    return "" if found.ends == "end" else found.target
