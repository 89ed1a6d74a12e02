"""A configuration file elsewhere that includes files of PGDATA, as the temporary server reads it.

Until the stage is moved to its place those files lie in the stage, and postgres does not start
without a file that is included.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from walsup.postgres import config
from walsup.system.private_files import open_private

FILE = "stage.conf"


def with_config(
    arguments: Sequence[str], pgdata: Path, data: Path, run_dir: Path
) -> tuple[str, ...]:
    """Return the operator's arguments, with a config_file that works before the move.

    It is made in the run directory. `pgdata`: where `data` is moved to.
    """
    given = config.from_arguments(arguments).get("config_file")
    if not given:
        return tuple(arguments)
    moved: list[Path] = []

    def place(path: Path) -> Path:
        plain = Path(os.path.normpath(path))
        if not plain.is_relative_to(pgdata) or plain.is_relative_to(data):
            return path
        moved.append(plain)
        return data / plain.relative_to(pgdata)

    flattened = config.flattened(Path(given), place)
    if not moved:
        return tuple(arguments)
    lines = (f"{name} = '{_quoted(value)}'\n" for name, value in flattened.values.items())
    path = run_dir / FILE
    with open_private(path) as file:
        file.write("".join(lines).encode(errors="surrogateescape"))
    return (*arguments, "-c", f"config_file={path}")


def _quoted(value: str) -> str:
    for plain, escaped in (("\\", "\\\\"), ("'", "''"), ("\n", "\\n"), ("\r", "\\r")):
        value = value.replace(plain, escaped)
    return value
