"""The libraries that a cluster loads and that this image lacks."""

from collections.abc import Sequence
from pathlib import Path

from walsup import log
from walsup.boot.existing_cluster import other_images
from walsup.boot.hidden_files import is_absent
from walsup.errors import ProgramMissingError
from walsup.postgres import config

PATH, LIBDIR = "dynamic_library_path", "$libdir"
_OTHERS = ("session_preload_libraries", "local_preload_libraries")


def check(data: Path, bindir: Path | None, arguments: Sequence[str]) -> None:
    """Refuse a copy whose shared_preload_libraries are missing: postgres would not start.

    `arguments` are postgres's, which win over the copy's files.

    Raises:
        ProgramMissingError: with the names of all that are missing.
    """
    where = folder(bindir)
    if where is None:
        return
    given = config.from_arguments(arguments)
    # A file of the operator replaces the copy's file, which is not in its place yet.
    elsewhere = given.get("config_file", "")
    instead = ("-c", f"config_file={elsewhere}") if Path(elsewhere).is_file() else ()
    values = config.effective(data, instead).values | given
    search = values.get(PATH, LIBDIR)
    lacking = missing(values.get(config.PRELOADED, ""), where, search)
    if other_images.recognise(data, values):
        # Libraries that another image adds are left out at the start.
        lacking = [
            name for name in lacking if other_images.without_path(name) not in other_images.LEFT_OUT
        ]
    if lacking:
        raise ProgramMissingError(
            f"the restored cluster loads {', '.join(lacking)} ({config.PRELOADED}), which"
            f" {where} does not have",
            hint="use an image that has these extensions; nothing but the stage was changed",
        )
    for setting in _OTHERS:
        if lacking := missing(values.get(setting, ""), where, search):
            log.warning("library.missing", setting=setting, names=lacking)


def folder(bindir: Path | None) -> Path | None:
    """Return the directory of this PostgreSQL's libraries; None: not known."""
    import subprocess  # noqa: PLC0415 (6 ms of every start that needs none)

    pg_config = bindir / "pg_config" if bindir else Path("pg_config")
    try:
        answer = subprocess.run(
            [str(pg_config), "--pkglibdir"], capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return Path(answer.stdout.strip())


def missing(listed: str, where: Path | None, search: str = LIBDIR) -> list[str]:
    """Return the libraries of a setting's list that are certainly missing.

    `where`: the directory of the libraries, None when it is not known. `search`: the value of
    dynamic_library_path. When it names another directory, plain names cannot be judged.
    """
    return [name for name in config.listed(listed) if _is_missing(name, where, search)]


def _is_missing(name: str, where: Path | None, search: str) -> bool:
    if "/" not in name and search != LIBDIR:
        return False
    plain = name.removeprefix(f"{LIBDIR}/")
    if where is None and not plain.startswith("/"):
        return False
    path = str((where or Path()) / plain)
    return all(is_absent(Path(path + end)) for end in ("", ".so"))
