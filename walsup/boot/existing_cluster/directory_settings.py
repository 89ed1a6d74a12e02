"""The operator's settings as postgres reads them, also when they name a data directory."""

from collections.abc import Sequence
from pathlib import Path

from walsup.errors import SettingsError
from walsup.postgres import config

NAME = "data_directory"


def operators_gucs(pgdata: Path, arguments: Sequence[str]) -> dict[str, str]:
    """Return what the operator's files and arguments set, by lower-case name.

    `data_directory` is among it only when a file names another directory than PGDATA: postgres
    would start there, so it has to be displaced.

    Raises:
        SettingsError: the arguments name another directory, or a file names one with a database.
    """
    given = config.from_arguments(arguments).get(NAME)
    if given and Path(given) != pgdata:
        raise SettingsError(
            f"the arguments name the data directory {given}, PGDATA is {pgdata}",
            hint=_hint(Path(given)),
        )
    values = config.effective(pgdata, arguments).values
    named = values.pop(NAME)
    other = pgdata / named
    if other == pgdata or other.resolve() == pgdata.resolve():
        return values
    if (other / "PG_VERSION").exists():
        raise SettingsError(
            f"the configuration file names the data directory {other}, which holds a database;"
            f" PGDATA is {pgdata}",
            hint="set PGDATA to the directory of your database, or remove data_directory from the"
            " file",
        )
    # Then the ALTER SYSTEM settings of PGDATA count.
    values = config.effective(pgdata, (*arguments, "-c", f"{NAME}={pgdata}")).values
    return values | {NAME: named}


def _hint(given: Path) -> str:
    """Return the remedy. -D of Debian's and Supabase's command names only the configuration."""
    conf = given / "postgresql.conf"
    if conf.exists() and not (given / "PG_VERSION").exists():
        return f"set PGDATA only, and name the configuration: -c config_file={conf}"
    return "set PGDATA only"
