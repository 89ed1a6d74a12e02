"""The sizes of a cluster's tablespaces, from their files."""

import os
from pathlib import Path


def sizes(pgdata: Path) -> dict[str, int]:
    """Return the bytes of each tablespace by its number; vanished files do not count."""
    found: dict[str, int] = {}
    try:
        links = list((pgdata / "pg_tblspc").iterdir())
    except OSError:
        return found
    for link in links:
        if link.name.isdecimal():
            found[link.name] = sum(_sizes(link))
    return found


def _sizes(directory: Path) -> list[int]:
    sizes = []
    for folder, _, names in os.walk(directory):
        for name in names:
            try:
                sizes.append(os.lstat(Path(folder) / name).st_size)
            except OSError:
                continue
    return sizes
