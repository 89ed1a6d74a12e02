"""The sub-path in which the archive continues beside an older one, as the data directory has it."""

import json
from pathlib import Path

from walsup.settings import FileArchive, Settings
from walsup.system.durable_files import write_durable

_FILE = ".walsup-subpath"


def remember(pgdata: Path, archive: str, sub: str) -> None:
    """Note that this archive continues in a sub-path, beside an old cluster's."""
    if _noted(pgdata, archive) != sub:
        write_durable(pgdata / _FILE, json.dumps({"archive": archive, "to": sub}) + "\n")


def where(known: Settings) -> Settings:
    """Return the settings with the archive's real place."""
    return below(known, _noted(known.pgdata, str(known.archive)))


def below(known: Settings, sub: str) -> Settings:
    """Return the settings with the archive in that sub-path, if there is one."""
    archive = known.archive
    if not sub or archive is None:
        return known
    if isinstance(archive, FileArchive):
        return known._replace(archive=FileArchive(directory=f"{archive.directory}/{sub}"))
    return known._replace(archive=archive._replace(prefix=f"{archive.prefix}/{sub}"))


def _noted(pgdata: Path, archive: str) -> str:
    try:
        noted = json.loads((pgdata / _FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return ""
    matches = isinstance(noted, dict) and noted.get("archive") == archive
    return str(noted.get("to") or "") if matches else ""
