"""Finding programs on a PATH, without the 2 ms that `shutil` costs every start."""

import os
from pathlib import Path


def which(name: str, path: str) -> str | None:
    """Return the absolute path of the first executable file `name` on `path`."""
    for folder in filter(None, path.split(os.pathsep)):
        found = Path(folder, name).absolute()
        if os.access(found, os.X_OK) and found.is_file():
            return str(found)
    return None
