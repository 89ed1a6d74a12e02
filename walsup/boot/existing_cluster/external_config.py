"""The configuration of a cluster that keeps it outside of its data directory.

Bitnami's is in /opt/bitnami/postgresql/conf, Debian's in /etc/postgresql/VERSION/main. walsup uses
the files that exist here; otherwise it makes files in the data directory. It edits no existing
file.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from walsup import log
from walsup.boot import completeness
from walsup.errors import DataDirectoryError, PermissionsError
from walsup.postgres import config, pg_control, superuser
from walsup.postgres.sql.quoting import identifier, literal
from walsup.settings import Settings
from walsup.system.durable_files import write_durable

MADE = "# Made by walsup, because this data directory had no "
_ELSEWHERE = ("/etc/postgresql/{major}/main/postgresql.conf", "/etc/postgresql/postgresql.conf")
_AUTO = "postgresql.auto.conf"
_CONF, _HBA, _IDENT = "postgresql.conf", "pg_hba.conf", "pg_ident.conf"


def is_absent(pgdata: Path, given: Mapping[str, str]) -> bool:
    """Return whether the configuration has to be found or made. `given`: by the arguments.

    Raises:
        DataDirectoryError: other files are absent, or a link is broken.
    """
    if "config_file" in given or (pgdata / _CONF).exists():
        return False
    for name in (_CONF, _HBA, _IDENT):
        if (pgdata / name).is_symlink() and not (pgdata / name).exists():
            raise _dangling(pgdata / name)
    if lost := completeness.lacking(pgdata):
        raise DataDirectoryError(
            f"{pgdata} has no {', '.join([_CONF, *lost])}",
            hint="copy the whole data directory again, or restore it from a backup",
        )
    return True


def complete(
    known: Settings, arguments: Sequence[str], major: str, root: str = ""
) -> tuple[str, ...]:
    """Make what is absent; return arguments that name a configuration file that was found.

    `arguments`: the operator's; `root`: the prefix of paths outside PGDATA.

    Raises:
        DataDirectoryError: other files are absent, or a link is broken; nothing has been made.
    """
    pgdata = known.pgdata
    if not is_absent(pgdata, config.from_arguments(arguments)):
        return ()
    if elsewhere := _elsewhere(pgdata, major, root):
        log.warning("volume.configured", file=str(elsewhere), by="-c config_file")
        return ("-c", f"config_file={elsewhere}")
    mounted = pgdata.parent / "conf"
    for name in (_IDENT, _AUTO):
        if not (pgdata / name).exists():
            write_durable(pgdata / name, f"{MADE}{name}.\n")
    if not (pgdata / _HBA).exists():
        write_durable(pgdata / _HBA, access_rules(known, mounted))
        _say(_HBA)
    write_durable(pgdata / _CONF, _settings(pgdata, mounted))
    _say(_CONF)
    return ()


def access_rules(known: Settings, mounted: Path) -> str:
    """Return pg_hba.conf: walsup's own role over the unix socket, all others with a password.

    Only this user can open the sockets (`unix_socket_permissions`). Rules that an operator of
    Bitnami has mounted replace the general ones.
    """
    md5 = superuser.has_md5_password(known.pgdata)
    method = known.postgres_host_auth_method or ("md5" if md5 else "scram-sha-256")
    # Also the role that initdb made, in case POSTGRES_USER was corrected.
    roles = {known.database_role, superuser.bootstrap_role(known.pgdata) or known.database_role}
    lines = [f"{MADE}{_HBA}."]
    lines += [f"local all {identifier(role)} trust" for role in sorted(roles)]
    if (mounted / _HBA).is_file():
        text = (mounted / _HBA).read_text(encoding="utf-8", errors="surrogateescape")
        lines += [f"# From {mounted / _HBA}:", text.rstrip("\n")]
    else:
        lines += [f"local all all {method}", f"host all all all {method}"]
        lines += [f"host replication {identifier(known.replication_user)} all scram-sha-256"]
    return "\n".join(lines) + "\n"


def _settings(pgdata: Path, mounted: Path) -> str:
    """Return postgresql.conf; recovery and prepared transactions need the limits of before."""
    try:
        limits = pg_control.read(pgdata).limits
    except OSError:
        limits = ()
    lines = [f"{MADE}{_CONF}.", "listen_addresses = '*'", "unix_socket_permissions = 0700"]
    lines += [f"{name} = {value}" for name, value in limits]
    lines += [
        f"include_if_exists {literal(str(file))}"
        for file in (mounted / _CONF, *sorted((mounted / "conf.d").glob("*.conf")))
        if file.is_file()
    ]
    return "\n".join(lines) + "\n"


def _elsewhere(pgdata: Path, major: str, root: str) -> Path | None:
    """Return a configuration file that names this data directory."""
    for place in _ELSEWHERE:
        path = Path(root + place.format(major=major))
        if not path.is_file():
            continue
        if not os.access(path, os.R_OK):
            raise PermissionsError(
                f"{path} may be this cluster's configuration, but uid {os.geteuid()} cannot"
                " read it",
                hint="make it readable for this user, or pass -c config_file=… (and -c hba_file=…)",
            )
        named = config.from_files(path, pgdata).values.get("data_directory", "")
        if named and os.path.realpath(named) == os.path.realpath(pgdata):
            return path
    return None


def _dangling(link: Path) -> DataDirectoryError:
    return DataDirectoryError(
        f"{link} points to {link.readlink()}, which does not exist",
        hint="mount the volume that it points to",
    )


def _say(file: str) -> None:
    log.warning(
        "volume.configured",
        file=file,
        problem=f"the data directory had no {file} (Bitnami and Debian keep it elsewhere), so"
        " walsup created one",
        remedy="if the original exists, mount it and pass its path (-c config_file=…, -c"
        " hba_file=…)",
    )
