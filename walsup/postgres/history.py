"""Where the timelines of a cluster begin, from its own history file."""

from pathlib import Path

from walsup.postgres.wal import parse_history


def beginnings(pgdata: Path, timeline: int) -> tuple[tuple[int, int], ...]:
    """Give each timeline up to this one that was not the first, and the LSN where it begins.

    Raises:
        OSError, ValueError: the file cannot be read.
    """
    text = (pgdata / "pg_wal" / f"{timeline:08X}.history").read_text(encoding="utf-8")
    left = parse_history(text)
    # A line says where the timeline in it was left: that is where the one after it begins.
    following = [switch.timeline for switch in left[1:]] + [timeline]
    return tuple((n, switch.switch_lsn) for n, switch in zip(following, left, strict=True))
