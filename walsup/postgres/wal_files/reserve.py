"""The reserve: files beside the WAL that are removed if postgres could not start otherwise.

Rule disk-full.

A postgres that ended because pg_wal was full needs a new segment to end its recovery, before it can
archive and recycle anything. The reserve consists of whole segments, removed one at a time, in
pg_wal itself: the only place that is certainly in the same file system. pg_ls_waldir() skips names
that begin with a dot; postgres, base backups and both engines ignore them.
"""

import os
from pathlib import Path
from typing import NamedTuple

_NAME = ".walsup-reserve-{}"
_MOST = 4
_PART_OF_DISK = 8
_KEPT_FREE_SEGMENTS = 4
_KEPT_FREE_PART = 8
_SEGMENTS_TO_START = 2


class FileSystemSpace(NamedTuple):
    """A file system: its size, and the bytes that this user may still write."""

    total_bytes: int
    free_bytes: int

    @classmethod
    def of(cls, path: Path) -> "FileSystemSpace":
        """Return the kernel's answer.

        Raises:
            OSError: the kernel has none.
        """
        found = os.statvfs(path)
        return cls(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize)


def may_add(disk: FileSystemSpace, segment_bytes: int, held: int) -> bool:
    """Return whether one more segment fits: an eighth of the disk at most, and never when low."""
    kept_bytes = max(_KEPT_FREE_SEGMENTS * segment_bytes, disk.total_bytes // _KEPT_FREE_PART)
    return (
        held < min(_MOST, disk.total_bytes // (_PART_OF_DISK * segment_bytes))
        and disk.free_bytes - segment_bytes >= kept_bytes
    )


def refill(pg_wal: Path, segment_bytes: int) -> int:
    """Fill the reserve as far as allowed; return its bytes."""
    held = _held(pg_wal)
    for number in range(1, _MOST + 1):
        path = pg_wal / _NAME.format(number)
        if path in held:
            continue
        try:
            if not may_add(FileSystemSpace.of(pg_wal), segment_bytes, len(held)):
                break
            _allocate(path, segment_bytes)
        except OSError:
            break
        held.append(path)
    return len(held) * segment_bytes


def give_up(pg_wal: Path, segment_bytes: int) -> int:
    """Remove as much as a start needs, and no more; return the number of removed segments.

    The rest is for the start after this one, if the disk is full again by then.
    """
    given_up = 0
    for path in reversed(_held(pg_wal)):
        if FileSystemSpace.of(pg_wal).free_bytes >= _SEGMENTS_TO_START * segment_bytes:
            break
        path.unlink(missing_ok=True)
        given_up += 1
    return given_up


def _held(pg_wal: Path) -> list[Path]:
    paths = (pg_wal / _NAME.format(number) for number in range(1, _MOST + 1))
    return [path for path in paths if path.exists()]


def _allocate(path: Path, size: int) -> None:
    fresh = path.with_name(path.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, size)
        os.fsync(descriptor)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    fresh.replace(path)
