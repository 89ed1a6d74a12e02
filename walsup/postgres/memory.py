"""What walsup itself remembers in the data directory, in small files, fsynced.

A directory that was copied or restored carries them along: they are compared with the bucket.
"""

import json
import os
from pathlib import Path

_INSTANCE = ".walsup-instance"
_FOREIGN = ".walsup-foreign"


def instance(pgdata: Path) -> str:
    """Give this data directory's own name, a random one made at the first call."""
    path = pgdata / _INSTANCE
    try:
        if found := path.read_text(encoding="ascii").strip():
            return found
    except FileNotFoundError:
        pass
    _write(path, os.urandom(16).hex() + "\n")
    return path.read_text(encoding="ascii").strip()


def remember_foreign(pgdata: Path, archive: str, problem: str) -> None:
    """Note that this archive belongs to another database: the next start archives nothing."""
    _write(pgdata / _FOREIGN, json.dumps({"archive": archive, "problem": problem}) + "\n")


def forget_foreign(pgdata: Path) -> None:
    """Take that note back."""
    (pgdata / _FOREIGN).unlink(missing_ok=True)


def foreign(pgdata: Path, archive: str) -> str:
    """Give why the last run found this very archive foreign, "" when it did not."""
    try:
        noted = json.loads((pgdata / _FOREIGN).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return ""
    if not isinstance(noted, dict) or noted.get("archive") != archive:
        return ""
    return str(noted.get("problem") or "the archive is another database's")


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path.with_name(path.name + ".new"), os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.truncate()
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    path.with_name(path.name + ".new").replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
