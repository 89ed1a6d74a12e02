"""PostgreSQL's command line: the operator's arguments, and after them the archive's own. Pure.

The last `-c` wins over files and ALTER SYSTEM, so nothing can shadow what the archive needs, and
no file of the operator is edited (rules archive-settings and operators-files).
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from walsup import units
from walsup.boot.existing_cluster import socket_directories
from walsup.postgres import config
from walsup.settings import declared

_BELOW_REPLICA = ("minimal",)
_LIBRARY_SINCE = 15
_RECOVERY_SINCE = 12


class CommandLine(NamedTuple):
    """What postgres gets, and which values of the operator it displaces."""

    arguments: tuple[str, ...]
    displaced: Mapping[str, str]
    archive_timeout: str


def command_line(  # noqa: PLR0913 (each is one fact)
    own: Sequence[str],
    effective: Mapping[str, str],
    *,
    pgdata: str,
    port: int | None,
    socket_dirs: Sequence[str],
    archive_command: str | None,
    archive_mode: bool,
    archive_timeout_s: int,
    major: int,
    recovery: Mapping[str, str] = MappingProxyType({}),
) -> CommandLine:
    """Return postgres's arguments.

    `own`: the operator's arguments; `effective`: what files and arguments of the operator set, by
    lower-case name; a data_directory in it differs from `pgdata`. `archive_command` None: no
    archive is configured, and nothing is touched. `socket_dirs`: all directories of unix sockets.
    `recovery`: the settings for a restore that is in progress.
    """
    before = ["-D", pgdata]
    if port is not None:
        before += ["-p", str(port)]
    ours: dict[str, str] = dict(socket_directories.permissions(effective))
    if archive_command is not None:
        ours |= _archive(archive_command, archive_mode=archive_mode, major=major)
        ours |= _raised(effective, archive_timeout_s)
    ours |= recovery
    if "data_directory" in effective:
        # A file names another place than PGDATA, and would win over -D.
        ours["data_directory"] = pgdata
    after = config.as_arguments(ours)
    if socket_dirs:
        after += ["-c", f"{socket_directories.NAME}={','.join(map(_as_list_item, socket_dirs))}"]
    displaced = {
        name: effective[name]
        for name, value in ours.items()
        if effective.get(name, "") not in ("", value)
    }
    timeout = ours.get("archive_timeout") or effective.get("archive_timeout", "0")
    return CommandLine(
        arguments=(*before, *own, *after), displaced=displaced, archive_timeout=timeout
    )


def _archive(archive_command: str, *, archive_mode: bool, major: int) -> dict[str, str]:
    rendered = {
        "archive_mode": "on" if archive_mode else "off",
        "archive_command": archive_command,
    }
    if major >= _LIBRARY_SINCE:
        rendered["archive_library"] = ""
    if major >= _RECOVERY_SINCE:
        rendered |= {
            "restore_command": "",
            "archive_cleanup_command": "",
            "recovery_end_command": "",
        }
    return rendered


def _raised(effective: Mapping[str, str], archive_timeout_s: int) -> dict[str, str]:
    """Raise what is too low for archiving. Never lower anything: postgres would not start."""
    raised: dict[str, str] = {}
    if effective.get("wal_level", "replica").lower() in _BELOW_REPLICA:
        raised["wal_level"] = "replica"
    if _is_zero(effective.get("max_wal_senders", "10")):
        raised["max_wal_senders"] = "10"
    if _is_zero(effective.get("archive_timeout", "0")):
        raised["archive_timeout"] = f"{archive_timeout_s}s"
    return raised


def _is_zero(text: str) -> bool:
    """Return whether postgres reads a number (of seconds if it has a unit) as 0.

    A value that postgres would reject is not 0: postgres reports it when it starts.
    Source: PostgreSQL 15, guc.c, parse_int: strtol with base 0, then rounded half to even.
    """
    number = text.strip()
    try:
        return int(number.lstrip("+-") or "x", 16 if "x" in number.lower() else 10) == 0
    except ValueError:
        try:
            return round(units.duration(number)) == 0 and number[:1].isdigit()
        except (ValueError, OverflowError):
            return False


def _as_list_item(path: str) -> str:
    """Quote a directory for a setting that is a list between commas."""
    return '"' + path.replace('"', '""') + '"'


def postgres_environment(environ: Mapping[str, str], more: Sequence[str]) -> dict[str, str]:
    """Return the variables that postgres may see: by name, so that no secret is passed on.

    `more`: names that the operator adds, `PREFIX_*` for all names with that prefix. They never pass
    a secret or a variable of the bucket.
    """
    return {
        name: value
        for name, value in environ.items()
        if not name.endswith(_SECRET_ENDS) and not name.startswith(_NOT_POSTGRES)
        if name.removesuffix("_FILE") not in _SECRETS
        if name in _SEEN or name.startswith(_SEEN_PREFIXES) or _matches(name, more)
    }


_SECRETS = {row.name for row in declared() if row.secret}
_SECRET_ENDS = ("PASSWORD", "PASSWORD_FILE", "PASSFILE")
# Buckets' variables, and Spilo's passwords of roles.
_NOT_POSTGRES = (
    *("AWS_", "WALG_", "WALE_", "S3_", "PGBACKREST_", "PGPASSWORD_"),
    *("RESTORE_", "CLONE_"),
)

# fmt: off
_SEEN = frozenset((
    "PATH", "HOME", "TZ", "TZDIR", "LANG", "LANGUAGE", "TMPDIR", "SHELL", "TERM",
    "LD_PRELOAD", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "OPENSSL_CONF",
    "KRB5_KTNAME", "KRB5_CONFIG", "JAVA_HOME", "PYTHONPATH", "PERL5LIB", "ICU_DATA",
))
# fmt: on
_SEEN_PREFIXES = ("LC_", "PG", "MALLOC_", "NSS_WRAPPER_", "GLIBC_", "GDAL_", "PROJ_")


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(
        name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
        for pattern in patterns
    )
