"""Directories that must not lie in one another. Pure: names only, for an archive may hang.

Rule hung-filesystem.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from walsup.settings.parsers import FileArchive


def overlaps(archive: FileArchive, others: dict[str, Path | None]) -> Iterator[str]:
    """Yield which of the others, by setting, holds the archive or is held by it.

    A loss of that directory would lose the archive too, and a base backup would copy it.
    """
    mine = archive.directory
    for setting, directory in others.items():
        if directory is None:
            continue
        theirs = os.path.normpath(directory)
        if f"{mine}/".startswith(f"{theirs}/"):
            yield f"WALSUP_ARCHIVE: {mine} is inside {setting} ({theirs}): use another volume"
        elif theirs.startswith(f"{mine}/"):
            yield f"WALSUP_ARCHIVE: {mine} contains {setting} ({theirs}): use a separate directory"
