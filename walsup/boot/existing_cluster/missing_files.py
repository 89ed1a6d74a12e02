"""Settings of a volume that name files missing in this image: replaced, or rejected by name.

postgres would end with FATAL at every start. Settings of another image's program are replaced, and
so are settings that cannot matter to the data. The operator's arguments win, and no file is edited.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from walsup import log, units
from walsup.boot import libraries
from walsup.boot.existing_cluster import other_images
from walsup.boot.existing_cluster.other_images import Image
from walsup.boot.hidden_files import is_absent, is_hidden
from walsup.errors import DataDirectoryError, ProgramMissingError
from walsup.postgres import config
from walsup.settings import Settings
from walsup.system.programs import which

_TLS_FILES = (
    *(("ssl_cert_file", "server.crt"), ("ssl_key_file", "server.key"), ("ssl_ca_file", "")),
    *(("ssl_crl_file", ""), ("ssl_crl_dir", ""), ("ssl_dh_params_file", "")),
)
_LOCALES = ("lc_messages", "lc_monetary", "lc_numeric", "lc_time")
_PER_SESSION = ("session_preload_libraries", "local_preload_libraries")
_MEMINFO = Path("/proc/meminfo")
_ANY_ADDRESS = ("*", "0.0.0.0", "::", "localhost", "127.0.0.1", "::1")  # noqa: S104 (compared)


class StartPlace(NamedTuple):
    """The place of a start: which settings exist, their origin, and which files exist."""

    pgdata: Path
    run_dir: Path | None
    effective: Mapping[str, str]
    given: Mapping[str, str]
    image: Image | None
    libdir: Path | None

    def get(self, name: str, usual: str = "") -> str:
        """Return a setting's text, as the operator wrote it."""
        return self.effective.get(name, usual)

    def is_on(self, name: str) -> bool:
        """Return whether a switch that is off by default is on."""
        try:
            return units.boolean(self.get(name, "off"))
        except ValueError:
            return False

    def path(self, name: str, usual: str) -> Path | None:
        """Return the file that a setting names; None when it names none."""
        text = self.get(name, usual)
        return self.pgdata / text if text else None

    def leaves(self, path: Path) -> bool:
        """Return whether the start itself must judge a file, because its user may read it."""
        return self.run_dir is None and is_hidden(self.pgdata, path)


def instead(
    effective: Mapping[str, str],
    known: Settings,
    arguments: Sequence[str],
    postgres: str,
    run_dir: Path | None,
) -> list[str]:
    """Return arguments that replace what is missing here; they come before the operator's.

    `run_dir`: where files are made; None when the caller only asks whether the directory can start.

    Raises:
        DataDirectoryError, ProgramMissingError: a missing file cannot be replaced.
    """
    place = StartPlace(
        pgdata=known.pgdata,
        run_dir=run_dir,
        effective=effective,
        given=config.from_arguments(arguments),
        image=other_images.recognise(known.pgdata, effective),
        libdir=_libdir(Path(postgres).resolve()),
    )
    _check_files(place, config.effective(known.pgdata, arguments).problems)
    _check_locales(place)
    replaced: dict[str, str] = {}
    for rule in (_libraries, _log, _tls, _statistics, _memory, _group, _addresses):
        replaced |= {name: text for name, text in rule(place).items() if name not in place.given}
    event = place.image.event if place.image else "setting.not_here"
    for name, value in replaced.items() if run_dir else ():
        log.warning(event, name=name, value=value, instead_of=effective.get(name, ""))
    return config.as_arguments(replaced)


def _libdir(postgres: Path) -> Path | None:
    """Return the directory of the libraries; None when it is not known."""
    for folder in (postgres.parent.parent / "lib", postgres.parent.parent / "lib/postgresql"):
        if (folder / "plpgsql.so").exists():
            return folder
    return None


def _check_files(place: StartPlace, problems: Sequence[str]) -> None:
    """Reject included or named files that do not exist, and that nothing can replace."""
    lost = [
        one for one in problems if one.endswith("does not exist") or " cannot be listed: " in one
    ]
    rules = place.path("hba_file", "pg_hba.conf")
    if rules is not None and not place.leaves(rules) and not rules.exists():
        lost.append(f"{rules} (hba_file) does not exist")
    if lost:
        raise DataDirectoryError(
            "; ".join(lost),
            hint="mount the missing files, or correct the settings that name them: with"
            " arguments (-c config_file=…, -c hba_file=…), or in the configuration"
            " file",
        )


def _libraries(place: StartPlace) -> dict[str, str]:
    reduced: dict[str, str] = {}
    for setting in (config.PRELOADED, *_PER_SESSION):
        names = config.listed(place.get(setting))
        lacking = libraries.missing(
            place.get(setting), place.libdir, place.get(libraries.PATH, libraries.LIBDIR)
        )
        if not lacking:
            continue
        kept = [name for name in names if name not in lacking]
        if place.image and other_images.LEFT_OUT.issuperset(
            map(other_images.without_path, lacking)
        ):
            reduced[setting] = ",".join(kept)
        elif setting == config.PRELOADED:
            raise ProgramMissingError(
                f"{setting} names {', '.join(lacking)}, which this image does not have",
                hint=f"use an image with {'it' if len(lacking) == 1 else 'them'}; or, when no table"
                f" needs {'it' if len(lacking) == 1 else 'them'}, leave out what is absent with"
                f" -c {setting}={','.join(kept)}",
            )
        else:
            log.warning("library.missing", setting=setting, names=lacking)
    return reduced


def _log(place: StartPlace) -> dict[str, str]:
    """Log to the container's log where the reader expects it, and where no file can be written."""
    if not place.is_on("logging_collector"):
        return {}
    folder = place.path("log_directory", "log")
    if not place.image and (folder is None or _is_writable(folder)):
        return {}
    return {"logging_collector": "off", "log_destination": "stderr"}


def _tls(place: StartPlace) -> dict[str, str]:
    if not place.is_on("ssl"):
        return {}
    lost = [
        f"{path} ({name})"
        for name, usual in _TLS_FILES
        if (path := place.path(name, usual)) is not None
        and not os.access(path, os.R_OK)
        and not place.leaves(path)
    ]
    command = place.get("ssl_passphrase_command").split()
    environment_path = os.environ.get("PATH", "")
    if command and not which(command[0], environment_path) and not place.leaves(Path(command[0])):
        lost.append(f"{command[0]} (ssl_passphrase_command)")
    if not lost:
        return {}
    if not place.image:
        raise DataDirectoryError(
            f"ssl is on, but {', '.join(lost)} cannot be read",
            hint="mount the files so that this user can read them; or name other files"
            " with arguments (-c ssl_cert_file=…, -c ssl_key_file=…); or start"
            " without TLS: -c ssl=off",
        )
    if place.run_dir is None:
        return {}
    from walsup.boot.existing_cluster.self_signed import certificate  # noqa: PLC0415 (not for every start)

    return certificate(place.run_dir, environment_path)


def _statistics(place: StartPlace) -> dict[str, str]:
    """Replace the statistics directory of PostgreSQL before 15: without it each stop loses them."""
    folder = place.path("stats_temp_directory", "")
    if folder is None or os.path.isdir(folder):  # noqa: PTH112 (Path's raises where it cannot look)
        return {}
    return {"stats_temp_directory": "pg_stat_tmp"}


def _memory(place: StartPlace) -> dict[str, str]:
    """Make huge pages optional on a machine that has none."""
    if place.get("huge_pages").lower() not in ("on", "true", "yes", "1"):
        return {}
    try:
        shown = _MEMINFO.read_text(encoding="ascii")
    except OSError:
        return {}
    has_none = "HugePages_Total:" in shown and "HugePages_Total:       0" in shown
    return {"huge_pages": "try"} if has_none else {}


def _check_locales(place: StartPlace) -> None:
    """Reject formats and messages in a language that is not installed.

    postgres checks the value in a file even when an argument overrides it.
    """
    named = {name: text for name in _LOCALES if (text := place.get(name))}
    if all(text in ("C", "POSIX", "C.UTF-8", "C.utf8") for text in named.values()):
        return
    import locale  # noqa: PLC0415 (not for every start)

    before = locale.setlocale(locale.LC_ALL)
    lost = []
    try:
        for name, text in named.items():
            try:
                locale.setlocale(getattr(locale, name.upper()), text)
            except locale.Error:
                lost.append(f"{name}={text}")
    finally:
        locale.setlocale(locale.LC_ALL, before)
    if lost:
        raise DataDirectoryError(
            f"this image does not have the locale that postgresql.conf names: {', '.join(lost)}",
            hint="use an image that has it (localedef, or the package locales-all); or"
            " correct these lines in postgresql.conf itself (the locale C always"
            " exists): an argument does not help",
        )


def _group(place: StartPlace) -> dict[str, str]:
    """Replace the sockets' group when it does not exist here or is not this user's."""
    name = place.get("unix_socket_group").strip()
    if not name:
        return {}
    import grp  # noqa: PLC0415 (as above)

    try:
        number = int(name) if name.isdecimal() else grp.getgrnam(name).gr_gid
    except KeyError:
        return {"unix_socket_group": ""}
    return {} if number in (os.getegid(), *os.getgroups()) else {"unix_socket_group": ""}


def _addresses(place: StartPlace) -> dict[str, str]:
    """Replace the address of the pod in which another image's program has written its settings."""
    names = [name.strip() for name in place.get("listen_addresses").split(",") if name.strip()]
    if not place.image or not names or any(name in _ANY_ADDRESS for name in names):
        return {}
    return {} if any(map(_is_local, names)) else {"listen_addresses": "*"}


def _is_local(name: str) -> bool:
    import socket  # noqa: PLC0415 (not for every start)

    family = socket.AF_INET6 if ":" in name else socket.AF_INET
    try:
        with socket.socket(family) as one:
            one.bind((name, 0))
    except OSError:
        return False
    return True


def _is_writable(folder: Path) -> bool:
    if is_absent(folder):
        return os.access(folder.parent, os.W_OK | os.X_OK)
    return os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK)  # noqa: PTH112 (as above)
