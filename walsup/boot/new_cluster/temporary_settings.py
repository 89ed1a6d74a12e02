"""The settings of the temporary server, in place of the operator's settings. Pure.

The server only runs the scripts of initdb.d. The operator's settings about the place of the
database, its clients, its notifications and its synchronous standbys belong to the database's own
start: here they move the server away from the stage, shut the scripts out, or let them wait.
Settings that say how a statement works (libraries, memory, locale, the scripts' own timeouts) stay.

Source: PostgreSQL 15, `pg_settings`; 11 to 18, guc.c and guc_tables.c.
"""

from collections.abc import Mapping
from pathlib import Path

_BELOW_REPLICA = ("minimal",)
_IDLE_TIMEOUT_SINCE = 14
_LIBRARY_SINCE = 15
_TRANSACTION_TIMEOUT_SINCE = 17
_USER_NAMESPACE_UNTIL = 16

# Where it listens, and how: a certificate that a script makes does not exist yet.
_REACHED = {
    "listen_addresses": "",
    "unix_socket_group": "",
    "unix_socket_permissions": "0700",
    "bonjour": "off",
    "ssl": "off",
    "authentication_timeout": "60s",
    "pre_auth_delay": "0",
    "post_auth_delay": "0",
}
# Its last lines are shown when it fails; another directory of logs may belong to another user.
_LOGGED = {"logging_collector": "off", "log_destination": "stderr"}
# What lets a correct statement fail or stand still.
_STATEMENTS = {
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "vacuum_cost_delay": "0",
    "exit_on_error": "off",
}


def stage_settings(
    data: Path, socket_dir: Path, effective: Mapping[str, str], major: int
) -> dict[str, str]:
    """Return the settings of the temporary server, to be put after the operator's arguments.

    `effective`: what the operator's files and arguments set, by lower-case name.
    """
    rendered = {
        "data_directory": str(data),
        "hba_file": str(data / "pg_hba.conf"),
        "ident_file": str(data / "pg_ident.conf"),
        "external_pid_file": "",
        "unix_socket_directories": '"' + str(socket_dir).replace('"', '""') + '"',
        "archive_mode": "off",  # nothing is archived before the database has its archive
        "synchronous_standby_names": "",
        **_REACHED,
        **_LOGGED,
        **session_settings(major),
    }
    if major >= _LIBRARY_SINCE:
        rendered["archive_library"] = ""
    if major <= _USER_NAMESPACE_UNTIL:
        rendered["db_user_namespace"] = "off"
    if effective.get("wal_level", "replica").lower() in _BELOW_REPLICA:
        # With WAL senders, which are the default, postgres does not start otherwise.
        rendered["wal_level"] = "replica"
    return rendered


def session_settings(major: int) -> dict[str, str]:
    """Return the settings that keep a script's session and its statements from being ended."""
    rendered = dict(_STATEMENTS)
    if major >= _IDLE_TIMEOUT_SINCE:
        rendered["idle_session_timeout"] = "0"
    if major >= _TRANSACTION_TIMEOUT_SINCE:
        rendered["transaction_timeout"] = "0"
    return rendered
