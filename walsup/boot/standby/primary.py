"""Where a standby's primary is, as postgres and its programs are told: never with the password.

A command line can be read by everybody; libpq takes a password from a file of ours (S28).
"""

import os
from pathlib import Path

from walsup.datadir import markers
from walsup.postgres import standby_signal
from walsup.postgres.sql import passfile, startup_settings
from walsup.settings import Settings
from walsup.settings.conninfo import render


def slot(known: Settings) -> str:
    """Give the name of this standby's slot, "" without a role of their own."""
    if known.replication_password is None or known.primary_conninfo is None:
        return ""
    return _name(known)


def _name(known: Settings) -> str:
    return standby_signal.slot_name(os.environ.get("HOSTNAME", ""), markers.instance(known.pgdata))


def conninfo(known: Settings, run_dir: Path) -> str:
    """Give primary_conninfo, "" when no primary is known; writes the password's file."""
    found = known.primary_conninfo
    if found is None:
        return ""
    parameters = dict(found.parameters)
    managed = known.replication_password is not None
    parameters.setdefault("user", known.replication_user if managed else known.database_role)
    # A primary that has vanished without a word is noticed within half a minute.
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
