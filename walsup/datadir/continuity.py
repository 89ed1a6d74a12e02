"""What the next start must find in the data directory to continue the archive's WAL.

Segment names in a row prove nothing: a server that was started by hand in between may have written
WAL that is not archived, or changes that are not in the WAL at all (wal_level minimal).
"""

import json
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from walsup.postgres.pg_control import PATH, WAL_LEVELS, ControlData, DBState
from walsup.system.durable_files import write_durable

NOTE = ".walsup-continuity"
ENDED = ".walsup-ended"  # PID 1 writes it
CONTROL_BYTES = 512
_ENDED = (DBState.SHUT_DOWN, DBState.SHUT_DOWN_IN_RECOVERY)
_MINIMAL = WAL_LEVELS.index("minimal")


class CheckpointPosition(NamedTuple):
    """The last checkpoint in pg_control. `at`: its time in Unix seconds."""

    checkpoint_lsn: int
    at: int
    timeline: int
    wal_level: int
    state: DBState

    @classmethod
    def of(cls, found: ControlData) -> Self:
        """Return the position of a control file."""
        return cls(
            found.checkpoint_lsn, found.checkpoint_at, found.timeline, found.wal_level, found.state
        )

    @classmethod
    def from_fields(cls, fields: object) -> Self | None:
        """Return the position from `to_fields`; None for anything else."""
        if not isinstance(fields, dict):
            return None
        try:
            return cls(
                int(fields["checkpoint_lsn"]),
                int(fields["at"]),
                int(fields["timeline"]),
                int(fields["wal_level"]),
                DBState(int(fields["state"])),
            )
        except (KeyError, TypeError, ValueError):
            return None

    def to_fields(self) -> dict[str, int]:
        """Return the fields for JSON."""
        return {name: int(value) for name, value in self._asdict().items()}

    @property
    def has_ended(self) -> bool:
        """Return whether the server had been shut down."""
        return self.state in _ENDED

    def __str__(self) -> str:
        """Return a description for an operator."""
        from walsup.postgres.wal import show_lsn  # noqa: PLC0415 (dataclasses: not in a start)

        level = WAL_LEVELS[self.wal_level] if 0 <= self.wal_level < len(WAL_LEVELS) else "unknown"
        try:
            at = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(self.at))
        except (ValueError, OverflowError, OSError):
            at = str(self.at)
        return (
            f"checkpoint {show_lsn(self.checkpoint_lsn)} of {at} on timeline {self.timeline},"
            f" wal_level {level}, {self.state.label}"
        )


class Ended(NamedTuple):
    """The end of a run: its verdict, and when it was given (Unix seconds)."""

    verdict: str
    at: float

    @classmethod
    def from_fields(cls, fields: object) -> Self | None:
        """Return the value from JSON; None for anything else."""
        if not isinstance(fields, dict):
            return None
        try:
            return cls(str(fields["verdict"]), float(fields["at"]))
        except (KeyError, TypeError, ValueError):
            return None


class Note(NamedTuple):
    """The note of one run, `boot`, about the archive that it writes to.

    `start`: the position before postgres was started; `position`: the last that was seen, both from
    pg_control. `running`: postgres was started and was not yet seen to have ended. `arguments`: a
    digest of its command line. `broken`: why the archive is not continued, until a new base backup
    is requested there; "": it is. `ended`: the end of this run; `before`: that of the run before
    it, None after a crash. `is_first`: there was no such run.
    """

    archive: str
    system_id: int
    boot: str
    start: CheckpointPosition
    position: CheckpointPosition
    running: bool = True
    arguments: str = ""
    broken: str = ""
    ended: Ended | None = None
    before: Ended | None = None
    is_first: bool = False


def read(pgdata: Path, archive: str) -> Note | None:
    """Return the note about this archive; None when it is absent or unreadable."""
    try:
        fields = json.loads((pgdata / NOTE).read_text(encoding="utf-8"))
        position = CheckpointPosition.from_fields(fields["position"])
        start = CheckpointPosition.from_fields(fields["start"])
        if fields["archive"] != archive or position is None or start is None:
            return None
        return Note(
            archive=archive,
            system_id=int(fields["system_id"]),
            boot=str(fields["boot"]),
            start=start,
            position=position,
            running=bool(fields["running"]),
            arguments=str(fields["arguments"]),
            broken=str(fields["broken"]),
            ended=Ended.from_fields(fields.get("ended")),
            before=Ended.from_fields(fields.get("before")),
            is_first=bool(fields.get("is_first")),
        )
    except (OSError, KeyError, TypeError, ValueError, RecursionError):
        return None


def write(pgdata: Path, note: Note) -> None:
    """Write the note; a crash leaves the old one or the new one.

    Raises:
        OSError: it could not be written.
    """
    fields: dict[str, Any] = note._asdict() | {
        "system_id": str(note.system_id),
        "start": note.start.to_fields(),
        "position": note.position.to_fields(),
        "ended": note.ended._asdict() if note.ended else None,
        "before": note.before._asdict() if note.before else None,
    }
    write_durable(pgdata / NOTE, json.dumps(fields) + "\n")


def digest(arguments: Sequence[str]) -> str:
    """Return the digest of a command line without its program.

    Source: PostgreSQL 11 to 18, postmaster.c, CreateOptsFile: each argument in double quotes.
    """
    return _digest("".join(f' "{word}"' for word in arguments))


def started_with(pgdata: Path) -> str:
    """Return the digest of the command line of the last postmaster; "" when it is not known.

    Raises:
        OSError: the file cannot be read, for another reason than that it is absent.
    """
    try:
        content = (pgdata / "postmaster.opts").read_bytes()
    except FileNotFoundError:
        return ""
    text = content.decode(errors="surrogateescape").removesuffix("\n")
    _, quote, arguments = text.partition(' "')
    return _digest(quote + arguments)


def has_seen_end(pgdata: Path, boot: str) -> bool:
    """Return whether PID 1 noted that postgres of the run `boot` left pg_control as it is now."""
    try:
        noted = (pgdata / ENDED).read_text(encoding="ascii").split()
        with (pgdata / PATH).open("rb") as file:
            content = file.read(CONTROL_BYTES)
    except (OSError, ValueError):
        return False
    return noted == [boot, content.hex()]


def _digest(text: str) -> str:
    content = text.encode(errors="surrogateescape")
    return f"{len(content)}:{zlib.crc32(content):08x}"  # hashlib would load OpenSSL


def why_broken(
    noted: Note, found: CheckpointPosition, started: str, *, has_seen_end: bool = False
) -> str:
    """Return why the directory is not as the noted run left it; "": its WAL continues.

    `started`: the digest of the command line of the last postmaster. `has_seen_end`: PID 1 noted
    that postgres of the noted run left pg_control as it was found. Pure.
    """
    left = noted.position
    if found == left:
        return ""
    if not noted.running:
        return (
            "the data directory was changed between two runs, by a server started by hand or"
            f" by another program: the last run left it at {left}, but this one found {found}"
        )
    # A crash: pg_control may be newer than the note, but only by checkpoints of the same server.
    went_back = (found.timeline, found.checkpoint_lsn) < (left.timeline, left.checkpoint_lsn)
    rewritten = found.checkpoint_lsn == left.checkpoint_lsn and found.at != left.at
    signs = (
        (
            found.has_ended and not has_seen_end,
            "a server that was started by hand has ended since then",
        ),
        (started != noted.arguments, "another server was started since then (postmaster.opts)"),
        (went_back, "the data directory is older than the last run left it"),
        (rewritten, "its last checkpoint was rewritten"),
        (found.wal_level == _MINIMAL, "not all changes are in the WAL"),
    )
    sign = next((words for is_so, words in signs if is_so), "")
    killed = f"the last run was killed, at {left} or later; this run found {found}"
    return f"{killed}: {sign}" if sign else ""


def begin(  # noqa: PLR0913 (each is one fact)
    pgdata: Path,
    archive: str,
    boot: str,
    found: ControlData,
    arguments: Sequence[str],
    *,
    continues: bool,
    broken: str = "",
) -> Note:
    """Note that postgres is about to be started; return the note.

    `continues`: the directory existed before this start; otherwise this start created it. `broken`:
    why the WAL of this run will not be in the archive.

    Raises:
        OSError: the note could not be written.
    """
    position = CheckpointPosition.of(found)
    noted = read(pgdata, archive)
    before = None
    if noted is not None and noted.system_id == found.system_id and continues:
        started = started_with(pgdata)
        seen = has_seen_end(pgdata, noted.boot)
        why = why_broken(noted, position, started, has_seen_end=seen)
        broken = noted.broken or why or broken
        before = noted.ended
    note = Note(
        archive=archive,
        system_id=found.system_id,
        boot=boot,
        start=position,
        position=position,
        arguments=digest(arguments),
        broken=broken,
        before=before,
        is_first=noted is None or not continues,
    )
    write(pgdata, note)
    return note
