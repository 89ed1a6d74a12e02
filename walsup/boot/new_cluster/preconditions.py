"""Whether a new cluster may be begun in an empty data directory. This is checked first."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from walsup import log, units
from walsup.errors import DataDirectoryError, SettingsError, WalsupError
from walsup.settings import Settings
from walsup.system import mountinfo

_MOUNTINFO = Path("/proc/self/mountinfo")


def hindrance(known: Settings, environ: Mapping[str, str]) -> WalsupError | None:
    """Return why it must not be begun; None when it may. Mere risks are logged."""
    if known.no_new_cluster and known.role == "primary":
        return _asked_for_other_data(known.no_new_cluster)
    mounts = _mounts()
    if error := _old_data(known.pgdata, mounts):
        return error
    if not known.require_mount or not mounts:
        return None
    fate = mountinfo.fate(mountinfo.holding(mounts, os.path.realpath(known.pgdata)))
    if fate is None:
        return None
    problem = f"PGDATA {known.pgdata} is on {fate.words}; the database would be lost with it"
    if "KUBERNETES_SERVICE_HOST" in environ and not fate.chosen:
        return DataDirectoryError(
            problem,
            hint="mount a volume (volumeMounts) at PGDATA or above it; WALSUP_REQUIRE_MOUNT=off if"
            " this database may be lost with its container",
        )
    log.warning("volume.missing", problem=problem, remedy="mount a volume at PGDATA or above it")
    return None


def _mounts() -> list[mountinfo.Mount]:
    """Return what is mounted; empty where the kernel does not report it, which blocks nothing."""
    try:
        return mountinfo.parse(_MOUNTINFO.read_text(encoding="utf-8", errors="replace"))
    except OSError as fault:
        log.warning("mounts.unknown", problem=str(fault))
        return []


def _asked_for_other_data(asked: str) -> SettingsError:
    name = asked.partition("=")[0].partition(" ")[0]
    if " beside " in asked:
        how = (
            "set WALSUP_ROLE=auto on all pods of the StatefulSet, with one WALSUP_ARCHIVE: this pod"
            " becomes a standby"
        )
    elif name.startswith("STANDBY_"):
        how = "set WALSUP_ROLE=standby, with the primary's WALSUP_ARCHIVE, WALSUP_PRIMARY_CONNINFO"
        how += " or both"
    else:
        how = "name the source with WALSUP_RESTORE_FROM (docs/restore.md)"
    return SettingsError(
        f"{asked} requests the data of another database, but the data directory is empty",
        hint=f"{how}; for a new, empty database, remove {name}",
    )


def _old_data(pgdata: Path, mounts: list[mountinfo.Mount]) -> DataDirectoryError | None:
    """Find what an image before 18 has left where this image does not look (docker-library)."""
    if not re.search(r"/\d+/docker$", str(pgdata)):
        return None
    base = pgdata.parent.parent
    places = (base, base / "data", *sorted(base.glob("*/docker")))
    old = [str(place) for place in places if (place / "PG_VERSION").is_file()]
    if not old and any(mount.point == str(base / "data") for mount in mounts):
        old = [f"{base / 'data'} (a volume that is not used)"]
    if not old:
        return None
    return DataDirectoryError(
        f"{pgdata} is empty, but the location used before PostgreSQL 18 holds data:"
        f" {units.abbreviate(old)}",
        hint=f"from PostgreSQL 18 on, mount the volume at {base}; to continue with the old"
        " data (same major version), set PGDATA to its directory; otherwise upgrade"
        " it with pg_upgrade or pg_dumpall first",
    )
