"""The settings in the startup packets of walsup's sessions, by purpose. Pure.

A value in the startup packet outranks ALTER DATABASE, ALTER ROLE and postgresql.conf, so the owner
of a database cannot choose which function, operator or type a statement of walsup resolves to.
Source: PostgreSQL 15, guc.h, GucSource: PGC_S_CLIENT is above PGC_S_DATABASE_USER.
"""

from collections.abc import Mapping
from enum import Enum
from pathlib import Path

# The schemas of an unqualified name; the session's temporary objects come last.
PATH = "pg_catalog, pg_temp"
# The same for libpq and for engines that read PGOPTIONS.
_OPTIONS = ("-csearch_path=pg_catalog,pg_temp", "-cpost_auth_delay=0")

_EVENT_TRIGGERS_SINCE = _TRANSACTION_TIMEOUT_SINCE = 17
_IDLE_TIMEOUT_SINCE = 14
_JIT_SINCE = 11

# Every role may set these.
_ALWAYS = {
    "application_name": "walsup",
    "search_path": PATH,
    "role": "none",
    "local_preload_libraries": "",
    "standard_conforming_strings": "on",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "post_auth_delay": "0",
    "exit_on_error": "off",
    "client_min_messages": "notice",
    "datestyle": "ISO, MDY",
    # No commit of walsup waits for a standby: that may be what it has to report.
    "synchronous_commit": "local",
    "max_parallel_workers_per_gather": "0",
}
# Only a superuser may set these. `replica`: before 17 this alone keeps ordinary triggers quiet.
_AS_SUPERUSER = {"session_preload_libraries": "", "session_replication_role": "replica"}
_READER = {"role": "pg_monitor"}
_READ_ONLY = {"default_transaction_read_only": "on"}
# `panic` alone keeps statement, duration, error and the lines of pgaudit and auto_explain out of
# the log; the rest keeps the text out of views, and is right if a library logs by another way.
_SILENT = {
    "log_min_messages": "panic",
    "log_min_error_statement": "panic",
    "log_statement": "none",
    "log_duration": "off",
    "log_min_duration_statement": "-1",
    "track_activities": "off",
    "pgaudit.log": "none",
    "auto_explain.log_min_duration": "-1",
    "pg_stat_statements.track": "none",
}


class Purpose(Enum):
    """The purpose of a session, which limits what it may do.

    `OWN`: the agent's statements in the database `postgres`. `LOOK`: catalogs of a database that
    belongs to others. `SECRET`: a statement that carries a password's verifier.
    """

    OWN = "own"
    LOOK = "look"
    SECRET = "secret"  # noqa: S105 (a name)


def settings(purpose: Purpose, major: int) -> tuple[Mapping[str, str], ...]:
    """Return the possible settings, the most first; later ones are for non-superusers.

    `major`: the server's version, 0 when it is not known. A session for secrets has no second
    choice: without the first one its statement would be logged.
    """
    always = dict(_ALWAYS)
    if major >= _JIT_SINCE:
        always["jit"] = "off"
    if major >= _IDLE_TIMEOUT_SINCE:
        always["idle_session_timeout"] = "0"
    if major >= _TRANSACTION_TIMEOUT_SINCE:
        always["transaction_timeout"] = "0"
    full = always | _AS_SUPERUSER
    if major >= _EVENT_TRIGGERS_SINCE:
        full["event_triggers"] = "off"
    match purpose:
        case Purpose.OWN:
            return full, always
        case Purpose.LOOK:
            return full | _READER | _READ_ONLY, always | _READER | _READ_ONLY, always | _READ_ONLY
        case Purpose.SECRET:
            return (full | _SILENT,)


def options(major: int) -> str:
    """Return libpq's `options` for a session that takes no other settings.

    `major`: the server's version, 0 when it is not known.
    """
    idle = ("-cidle_session_timeout=0",) if major >= _IDLE_TIMEOUT_SINCE else ()
    return " ".join((*_OPTIONS, *idle))


def major_of(pgdata: Path) -> int:
    """Return the major version of a data directory, 0 when it is not known."""
    try:
        return int((pgdata / "PG_VERSION").read_text(encoding="ascii").partition(".")[0])
    except (OSError, ValueError):
        return 0
