"""The default data directory, shared by PID 1 and all readers of the settings."""

# ruff: noqa: PTH110, PTH112, PTH118 -- pathlib would cost PID 1 a megabyte

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

USUAL = "/var/lib/postgresql/data"
_OWN_DIRECTORY_SINCE = 18  # Source: docker-library/postgres, pull request 1259
# Where others mount the volume, and where in it they keep the data directory.
# Source: kubedb/postgres release-0.13, Dockerfile; zalando/spilo, postgres-appliance/Dockerfile;
# bitnami/containers, bitnami/postgresql, postgresql-env.sh.
THEIRS = {
    "KubeDB": ("/var/pv", "data"),
    "Bitnami": ("/bitnami/postgresql", "data"),
    "Spilo": ("/home/postgres/pgdata", "pgroot/data"),
}


def chosen(environ: "Mapping[str, str]", root: str = "") -> str:
    """Return PGDATA, or what stands for it: another's volume where one is mounted, else the usual.

    An image says the usual one in its environment too, so that says nothing. `root`: where these
    paths are looked for.
    """
    if owner := whose(environ, root):
        volume, folder = THEIRS[owner]
        own_root = environ.get("PGROOT") or ""
        if owner == "Bitnami":
            volume = environ.get("POSTGRESQL_VOLUME_DIR") or volume
            return environ.get("POSTGRESQL_DATA_DIR") or os.path.join(volume, folder)
        if owner == "Spilo" and own_root.startswith(volume + "/"):
            return os.path.join(own_root, "data")
        return os.path.join(volume, folder)
    return environ.get("PGDATA") or _usual(environ)


def whose(environ: "Mapping[str, str]", root: str = "") -> str:
    """Return whose volume is mounted when PGDATA is not set, otherwise ""."""
    given = os.path.normpath(environ.get("PGDATA") or _usual(environ))
    if given not in (USUAL, _usual(environ)) or os.path.exists(f"{root}{given}/PG_VERSION"):
        return ""
    if environ.get("POSTGRESQL_DATA_DIR") or environ.get("POSTGRESQL_VOLUME_DIR"):
        return "Bitnami"
    return next((name for name, (volume, _) in THEIRS.items() if os.path.isdir(root + volume)), "")


def _usual(environ: "Mapping[str, str]") -> str:
    major = environ.get("PG_MAJOR", "")
    if major.isdecimal() and int(major) >= _OWN_DIRECTORY_SINCE:
        return f"/var/lib/postgresql/{major}/docker"
    return USUAL
