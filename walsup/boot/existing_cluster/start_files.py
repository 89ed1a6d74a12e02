"""The files without which postgres does not start, or admits other clients than before."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from walsup.errors import ArchiveError
from walsup.postgres import config

_RULES = "pg_hba.conf"
# Source: PostgreSQL 15, "Connections and Authentication", with their defaults.
_WITH_SSL = {
    "ssl_cert_file": "server.crt",
    "ssl_key_file": "server.key",
    "ssl_ca_file": "",
    "ssl_crl_file": "",
    "ssl_dh_params_file": "",
}
_KEYS = ("ssl_key_file",)
_ON = ("on", "true", "yes", "1", "t", "y", "tr", "tru", "ye")


def check(data: Path, pgdata: Path, arguments: Sequence[str]) -> None:
    """Refuse a copy in `data`, to become `pgdata`, that lacks a file needed for the start.

    `arguments` are postgres's. An unknown pg_hba.conf is never replaced by a new one.

    Raises:
        ArchiveError: with the names of all files.
    """
    if (data / config.PATRONIS).exists():
        return  # settings of Patroni are displaced at the start
    values = _effective(data, arguments)
    lost = [
        f"{path} ({name})"
        for name, path in _needed(values)
        if (place := _place(path, data, pgdata)) and not os.path.lexists(place)
    ]
    if lost:
        raise ArchiveError(
            f"the copy lacks {', '.join(lost)}, without which postgres does not start",
            hint="mount the files at these paths; or pass -c NAME=PATH for each of them,"
            " or -c ssl=off",
        )
    if _lacks_rules(data, values, arguments):
        raise ArchiveError(
            f"the copy has no {_RULES}, and the rules of its source are not known: a new file"
            " could admit more clients",
            hint=f"mount the source's {_RULES} here, and pass -c hba_file=PATH",
        )


def tighten(data: Path, pgdata: Path, arguments: Sequence[str]) -> None:
    """Remove the permissions of others from private keys, as postgres demands of an owner's key."""
    values = _effective(data, arguments)
    for name in _KEYS:
        path = _place(values.get(name) or _WITH_SSL[name], data, pgdata)
        if path and path.is_file() and not path.is_symlink():
            path.chmod(0o600)


def needed_of(
    names: Iterable[str], data: Path, pgdata: Path, arguments: Sequence[str]
) -> list[str]:
    """Return the given files (by their paths in the copy) that a copy needs for its start.

    The same as in `check`; also the configuration files that no setting names elsewhere.
    """
    values = _effective(data, arguments)
    places = [_place(path, data, pgdata) for _, path in _needed(values)]
    files = {str(place.relative_to(data)) for place in places if place}
    for setting, name in (("hba_file", _RULES), ("ident_file", "pg_ident.conf")):
        if not values.get(setting):
            files.add(name)
    if not values.get("config_file"):
        files |= {"postgresql.conf", "postgresql.auto.conf"}
    return sorted(files & set(names))


def _needed(values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if path := values.get("hba_file"):
        yield "hba_file", path
    if values.get("ssl", "").lower() in _ON:
        for name, default in _WITH_SSL.items():
            if path := values.get(name, default):
                yield name, path


def _lacks_rules(data: Path, values: Mapping[str, str], arguments: Sequence[str]) -> bool:
    """Return whether a pg_hba.conf would have to be made, and would be used.

    A cluster without both files keeps its configuration elsewhere, as Debian's does.
    """
    if values.get("hba_file") or "config_file" in config.from_arguments(arguments):
        return False
    return not os.path.lexists(data / _RULES) and (data / "postgresql.conf").exists()


def _place(path: str, data: Path, pgdata: Path) -> Path | None:
    """Return where a file of the data directory is now; None: the setting names one elsewhere."""
    final = pgdata / path
    return data / final.relative_to(pgdata) if final.is_relative_to(pgdata) else None


def _effective(data: Path, arguments: Sequence[str]) -> dict[str, str]:
    """Return the settings that postgres will start with. The copy is not in its place yet."""
    given = config.from_arguments(arguments)
    elsewhere = given.get("config_file", "")
    instead = ("-c", f"config_file={elsewhere}") if Path(elsewhere).is_file() else ()
    return config.effective(data, instead).values | given
