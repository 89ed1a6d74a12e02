"""A place for one fetched segment: in the run directory, or beside the data if that is small."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from walsup import units
from walsup.archive.faults import Fault, FaultError, FaultKind
from walsup.postgres.wal_files.reserve import FileSystemSpace

_IN_RUN_DIR = "scratch"
_IN_PGDATA = ".walsup-"
_SLACK_BYTES = 1 << 20
_SEGMENTS_IN_PGDATA = 6  # postgres may need some meanwhile


@contextlib.contextmanager
def scratch(
    run_dir: Path, pgdata: Path, segment_bytes: int, name: str = _IN_RUN_DIR
) -> Iterator[Path]:
    """Yield a private directory; everything in it is removed afterwards.

    An engine that runs out of space, or is killed, leaves half a segment, and a run directory in
    memory would stay full. Two users at a time need different names.

    Raises:
        FaultError: there is no room for a segment anywhere.
    """
    inside, beside = run_dir / name, pgdata / f"{_IN_PGDATA}{name}"
    try:
        _clear(inside, beside)
        if _has_room(run_dir, segment_bytes + _SLACK_BYTES):
            chosen = inside
        elif _has_room(pgdata, _SEGMENTS_IN_PGDATA * segment_bytes):
            chosen = beside
        else:
            raise FaultError(
                Fault(
                    kind=FaultKind.DISK_FULL,
                    problem=f"neither {run_dir} nor {pgdata} has room for the archived segment"
                    f" ({units.show_bytes(segment_bytes)}) that walsup compares with"
                    " pg_wal",
                    remedy=f"free space on the file system of {run_dir}",
                )
            )
        chosen.mkdir(mode=0o700)
        yield chosen
    finally:
        _clear(inside, beside)


@contextlib.contextmanager
def scratch_if_room(
    run_dir: Path, pgdata: Path, segment_bytes: int, name: str = _IN_RUN_DIR
) -> Iterator[Path | None]:
    """Return a directory as `scratch` does, None when there is no room for a segment anywhere."""
    with contextlib.ExitStack() as stack:
        place: Path | None = None
        with contextlib.suppress(FaultError):
            place = stack.enter_context(scratch(run_dir, pgdata, segment_bytes, name))
        yield place


def _has_room(place: Path, wanted_bytes: int) -> bool:
    return FileSystemSpace.of(place).free_bytes >= wanted_bytes


def _clear(*places: Path) -> None:
    for place in places:
        shutil.rmtree(place, ignore_errors=True)
