"""Leftovers of another program's recovery in a data directory, with which postgres cannot start.

A restore by hand, by pgBackRest, Barman or another image leaves `recovery.signal`, and its
restore_command in postgresql.auto.conf, which does not count where walsup archives.
"""

from collections.abc import Mapping
from pathlib import Path

from walsup import log
from walsup.datadir.restore_state import SIGNAL
from walsup.errors import DataDirectoryError, SettingsError, WalsupError
from walsup.postgres import pg_control, standby_signal
from walsup.postgres.pg_control import DBState

_SIGNALS_SINCE = 12
_OLD = "recovery.conf"
# Source: PostgreSQL 15, xlogrecovery.c, error_multiple_recovery_targets: at every start.
_KINDS = ("lsn", "name", "time", "xid")
_TARGETS = ("recovery_target", *(f"recovery_target_{kind}" for kind in _KINDS))
_IN_RECOVERY = (DBState.SHUT_DOWN_IN_RECOVERY, DBState.IN_ARCHIVE_RECOVERY)
_RESTORE = (
    "empty the data directory and restore the database with walsup (WALSUP_RESTORE_FROM, or"
    " WALSUP_ON_EMPTY_PGDATA=restore)"
)


def check(
    pgdata: Path,
    major: int,
    effective: Mapping[str, str],
    ours: Mapping[str, str],
    *,
    follows: bool,
) -> None:
    """Refuse a start that postgres would end, and name what was left.

    `effective`: the operator's settings; `ours`: walsup's, which win. `follows`: this start is a
    standby's.

    Raises:
        DataDirectoryError: a file is left; SettingsError: settings are.
    """
    if major < _SIGNALS_SINCE:
        return
    settings = {**effective, **ours}
    if (pgdata / _OLD).exists():
        raise _old(pgdata)
    targets = [name for name in _TARGETS if settings.get(name)]
    if len(targets) > 1:
        raise SettingsError(
            f"{len(targets)} recovery targets are set ({', '.join(targets)}), but postgres"
            " accepts at most one",
            hint="remove them from postgresql.auto.conf, postgresql.conf and the"
            " arguments; set a restore's target with WALSUP_RESTORE_TARGET_…",
        )
    if standby_signal.is_standby(pgdata):
        if not follows:
            log.warning(
                "standby.left",
                problem=f"{pgdata / standby_signal.SIGNAL} makes this database read-only",
                remedy="run `walsup promote` to make it the primary; or set WALSUP_ROLE=standby",
            )
        return
    if (pgdata / SIGNAL).exists() and not settings.get("restore_command"):
        raise _unfinished(pgdata, given=bool(effective.get("restore_command")))


def _old(pgdata: Path) -> WalsupError:
    return DataDirectoryError(
        f"{pgdata / _OLD} is a file of PostgreSQL 11 or older; a newer postgres does not start"
        " with it",
        hint=f"if this is a complete database, remove {_OLD}; otherwise {_RESTORE}",
    )


def _unfinished(pgdata: Path, *, given: bool) -> WalsupError:
    unused = "walsup ignores the configured restore_command, because WALSUP_ARCHIVE is set"
    why = unused if given else "no restore_command is set"
    problem = f"{pgdata / SIGNAL} requests a recovery that walsup did not start, and {why}"
    state = pg_control.read(pgdata).state
    if (pgdata / "backup_label").exists() or state in _IN_RECOVERY:
        what = "the recovery of this database has not finished"
        hint = (
            "finish the recovery with the program that started it, without"
            f" WALSUP_ARCHIVE; or {_RESTORE}"
        )
    else:
        what = f"pg_control shows no recovery in progress ({state.label})"
        hint = (
            f"if the data directory is complete, remove {SIGNAL} and start again;"
            f" otherwise {_RESTORE}"
        )
    return DataDirectoryError(f"{problem}; {what}", hint=hint)
