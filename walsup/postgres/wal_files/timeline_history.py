"""Where the timelines of a cluster begin, from its own history file."""

from pathlib import Path

from walsup.postgres import pg_control
from walsup.postgres.wal import Kind, Switch, classify, parse_history

# The content of the history of a number that must not be used again.
TAKEN = "# this number is taken\n"


def remove_taken(pgdata: Path) -> None:
    """Remove such files, which postgres may have kept: they are not timelines."""
    for path in (pgdata / "pg_wal").glob("*.history"):
        if path.read_text(encoding="utf-8", errors="replace") == TAKEN:
            path.unlink()


def newest(pgdata: Path) -> int:
    """Return the highest timeline whose history is in pg_wal, 1 when there is none."""
    names = (path.name for path in (pgdata / "pg_wal").glob("*.history"))
    return max((int(n[:8], 16) for n in names if classify(n) is Kind.HISTORY), default=1)


def left(pgdata: Path, timeline: int) -> tuple[Switch, ...]:
    """Return where the timelines before this one were left; nothing for the first.

    Raises:
        OSError, ValueError: the file cannot be read.
    """
    if timeline == 1:
        return ()
    path = pgdata / "pg_wal" / f"{timeline:08X}.history"
    return parse_history(path.read_text(encoding="utf-8"))


def own(pgdata: Path) -> frozenset[int]:
    """Return the timelines of a cluster's history: its own, and those before it.

    Raises:
        WalsupError, OSError, ValueError: its files cannot be read.
    """
    timeline = pg_control.read(pgdata).timeline
    return frozenset({timeline, *(switch.timeline for switch in left(pgdata, timeline))})


def beginnings(pgdata: Path, timeline: int) -> tuple[tuple[int, int], ...]:
    """Return each timeline up to this one that was not the first, and the LSN where it begins.

    Raises:
        OSError, ValueError: the file cannot be read.
    """
    before = left(pgdata, timeline)
    # A line says where its timeline was left: there the next one begins.
    following = [switch.timeline for switch in before[1:]] + [timeline]
    return tuple((n, s.switch_lsn) for n, s in zip(following, before, strict=bool(before)))
