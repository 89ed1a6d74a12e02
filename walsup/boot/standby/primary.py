"""Where a standby's primary is, for postgres and its programs, never with the password.

Every user can read a command line. libpq takes the password from a file of walsup's (rule secrets).
"""

import os
from pathlib import Path

from walsup.datadir import markers
from walsup.postgres import standby_signal
from walsup.postgres.sql import passfile, startup_settings
from walsup.settings import Settings
from walsup.settings.conninfo import render


def slot(known: Settings) -> str:
    """Return the name of this standby's slot, "" without a replication role."""
    if known.replication_password is None or known.primary_conninfo is None:
        return ""
    return _name(known)


def _name(known: Settings) -> str:
    return standby_signal.slot_name(os.environ.get("HOSTNAME", ""), markers.instance(known.pgdata))


def conninfo(known: Settings, run_dir: Path) -> str:
    """Return primary_conninfo, "" when no primary is known; write the password's file."""
    given = known.primary_conninfo
    if given is None:
        return ""
    parameters = dict(given.parameters)
    managed = known.replication_password is not None
    parameters.setdefault("user", known.replication_user if managed else known.database_role)
    # A primary that vanishes without closing its connection is noticed within half a minute.
    parameters.setdefault("keepalives_idle", "10")
    parameters.setdefault("keepalives_interval", "5")
    parameters.setdefault("connect_timeout", "5")
    parameters.setdefault("application_name", _name(known))
    ours = startup_settings.options(startup_settings.major_of(known.pgdata))
    parameters["options"] = f"{parameters.get('options', '')} {ours}".lstrip()
    passfile.keep(run_dir, known)
    if passfile.content(known):
        parameters["passfile"] = str(run_dir / passfile.FILE)
    return render(tuple(parameters.items()))
