"""The parts that a base backup's list of files names, without reading all of the list. Pure.

A database of a million files has a list of 140 MB; read whole, it takes ten times that in memory.
Source: WAL-G 3.0.9 and WAL-RUS 0.4.1, files_metadata.json: `Files` has an object for each file,
`TarFileSets` the names of the files by the part that holds them.
"""

import json
import re

from walsup.postgres.wal import strip_extension

# Read whole up to here, which shows more of what may be wrong with it.
MOST_WHOLE_BYTES = 4 << 20

_BEGINS = re.compile(rb'"TarFileSets"\s*:\s*\{')
_PART = re.compile(rb'\s*("(?:[^"\\]|\\.)*")\s*:\s*(?:\[|null\b)')
_FILE = re.compile(rb'\s*(?:"(?:[^"\\]|\\.)*"\s*,?|(\]))')
_FOLLOWS = re.compile(rb"\s*([,}])")


def names(content: bytes, most_whole_bytes: int = MOST_WHOLE_BYTES) -> frozenset[str]:
    """Return the names of the parts without extension, none when the list does not say.

    Raises:
        ValueError, TypeError, AttributeError, RecursionError: it is no such list.
    """
    if len(content) <= most_whole_bytes:
        parts = json.loads(content).get("TarFileSets") or {}
        return frozenset(strip_extension(str(part)) for part in parts)
    if not content.rstrip().endswith(b"}"):
        raise ValueError("it is cut off")
    for begins in _BEGINS.finditer(content):
        # A file may be called TarFileSets too: what it has are no lists.
        if (found := _parts(content, begins.end())) is not None:
            return frozenset(strip_extension(json.loads(part)) for part in found)
    raise ValueError("it names no parts")


def _parts(content: bytes, at: int) -> list[bytes] | None:
    """Return the names of an object's fields that are lists, None when one is none."""
    found: list[bytes] = []
    while part := _PART.match(content, at):
        found.append(part[1])
        at = part.end()
        if content[at - 1 : at] == b"[":
            at = _end_of_list(content, at)
            if at < 0:
                return None
        follows = _FOLLOWS.match(content, at)
        if follows is None:
            return None
        at = follows.end()
        if follows[1] == b"}":
            return found
    return None


def _end_of_list(content: bytes, at: int) -> int:
    """Return where a list of names ends, -1 when it is none."""
    while item := _FILE.match(content, at):
        at = item.end()
        if item[1]:
            return at
    return -1
