"""The libraries that a restored cluster wants to load, and that this image lacks."""

import subprocess
from pathlib import Path

from walsup import log
from walsup.errors import ProgramMissingError
from walsup.postgres import guc

_SETTINGS = ("shared_preload_libraries", "session_preload_libraries", "local_preload_libraries")


def check(data: Path, bindir: Path | None) -> None:
    """Refuse a copy whose shared_preload_libraries are not here: postgres would not start.

    Raises:
        ProgramMissingError: with the names of all that are missing.
    """
    folder = _folder(bindir)
    if folder is None:
        return
    values = guc.effective(data, []).values
    for setting in _SETTINGS:
        missing = [name for name in _names(values.get(setting, "")) if not _exists(folder, name)]
        if not missing:
            continue
        if setting == "shared_preload_libraries":
            raise ProgramMissingError(
                f"the restored cluster loads {', '.join(missing)} ({setting}), which"
                f" {folder} does not have",
                hint="use an image with these extensions; nothing but the stage was touched",
            )
        log.warning("library.missing", setting=setting, names=missing)


def _folder(bindir: Path | None) -> Path | None:
    pg_config = bindir / "pg_config" if bindir else Path("pg_config")
    try:
        answer = subprocess.run(
            [str(pg_config), "--pkglibdir"], capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return Path(answer.stdout.strip())


def _names(text: str) -> list[str]:
    return [name.strip().strip('"') for name in text.split(",") if name.strip()]


def _exists(folder: Path, name: str) -> bool:
    plain = name.replace("$libdir/", "")
    path = Path(plain) if plain.startswith("/") else folder / plain
    return path.exists() or path.with_name(f"{path.name}.so").exists()
