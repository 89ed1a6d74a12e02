"""The bucket as boto3 lists it. Nothing here is shared with walsup: it is the second opinion."""

import re
from typing import NamedTuple

from dev.harness import S3Server

_SEGMENT = re.compile(r"/wal_005/([0-9A-F]{24})\.[a-z0-9]+$")
_SENTINEL = "_backup_stop_sentinel.json"
_SEGMENTS_PER_LOG = 256  # of 16 MiB: the third part of a name counts to FF


class Sentinel(NamedTuple):
    """The object that is written last and makes a base backup whole."""

    key: str
    bytes: int
    backup_bytes: int  # of all objects of the backup, compressed


class Run(NamedTuple):
    """Segments in the bucket, from the first to the last before a gap."""

    first: str
    last: str
    length: int
    behind: int  # how many lie behind a gap


def find_sentinel(s3: S3Server, prefix: str) -> Sentinel | None:
    """The newest base backup, if there is one."""
    objects = s3.objects(f"{prefix}/basebackups_005/")
    keys = sorted(key for key in objects if key.endswith(_SENTINEL))
    if not keys:
        return None
    stem = keys[-1].removesuffix(_SENTINEL)
    total = sum(size for key, size in objects.items() if key.startswith(stem))
    return Sentinel(keys[-1], objects[keys[-1]], total)


def segments(s3: S3Server, prefix: str) -> list[str]:
    """Names of all segments, in order."""
    found = (_SEGMENT.search(key) for key in s3.keys(f"{prefix}/wal_005/"))
    return sorted(match[1] for match in found if match)


def unbroken(names: list[str]) -> Run:
    """The run without a gap that begins with the first name."""
    if not names:
        return Run("none", "none", 0, 0)
    length = 1
    while length < len(names) and _number(names[length]) == _number(names[0]) + length:
        length += 1
    return Run(names[0], names[length - 1], length, len(names) - length)


def _number(name: str) -> int:
    return int(name[8:16], 16) * _SEGMENTS_PER_LOG + int(name[16:24], 16)
