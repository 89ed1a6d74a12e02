"""The process that accesses an archive in a directory, so that nothing else can hang there.

Rule hung-filesystem.

It answers one JSON line for each on its standard input, a socket, and ends with the other side.
While it reads a long folder it sends empty lines. Standard library only, because it stays in
memory.
"""

import errno
import json
import os
import sys
import time

from walsup import log
from walsup.archive.storage.directory_operations import ConditionError, Directory

_LIVELY_EVERY_S = 0.5
_CHUNK_BYTES = 1 << 16


def main(root: str) -> None:
    """Answer until the other side closes the connection."""
    sys.excepthook = log.uncaught
    log.configure(os.environ.get("WALSUP_LOG_FORMAT", "auto"), "archive")
    told_s = time.monotonic()

    def lively() -> None:
        nonlocal told_s
        if time.monotonic() - told_s > _LIVELY_EVERY_S:
            told_s = time.monotonic()
            _send(b"\n")

    directory = Directory(root, lively)
    buffer = b""
    while chunk := os.read(0, _CHUNK_BYTES):
        *lines, buffer = (buffer + chunk).split(b"\n")
        for line in lines:
            told_s = time.monotonic()
            _send(json.dumps(_answer(directory, json.loads(line))).encode() + b"\n")


def _answer(directory: Directory, request: dict[str, object]) -> dict[str, object]:
    work = getattr(directory, str(request.pop("do")))
    try:
        return {"found": work(**request)}
    except ConditionError as lost:
        return {"lost": str(lost)}
    except OSError as fault:
        return {"errno": fault.errno or errno.EIO, "text": fault.strerror, "path": fault.filename}


def _send(line: bytes) -> None:
    while line:
        line = line[os.write(0, line) :]
