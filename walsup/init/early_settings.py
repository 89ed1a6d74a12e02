"""The settings that PID 1 needs before prepare has read and checked all of them.

Taken from the environment alone (no *_FILE). A faulty value falls back to its default here
and is reported by prepare together with all other faults.
"""

# ruff: noqa: PTH100, PTH110, PTH118 -- pathlib would cost PID 1 a megabyte

import os
import zlib

from walsup.system import default_pgdata, stop_grace
from walsup.system.setting_text import clean
from walsup.units import duration

SHORTEST_STOP_GRACE_S = 5.0
KUBERNETES_TERMINATION_LOG = "/dev/termination-log"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class EarlySettings:
    """What PID 1 reads itself: directories, the stop grace, where its termination message goes."""

    __slots__ = (
        "grace_is_set",
        "log_format",
        "pgdata",
        "run_dir",
        "stop_grace_s",
        "termination_log",
        "waldir",
    )

    def __init__(self, environ: "Mapping[str, str]", uid: int) -> None:
        environ = clean(environ)
        self.pgdata = os.path.normpath(default_pgdata.chosen(environ))
        self.waldir = environ.get("POSTGRES_INITDB_WALDIR") or ""
        self.run_dir = default_run_dir(environ, uid, self.pgdata)
        self.grace_is_set = bool(environ.get("WALSUP_STOP_GRACE"))
        self.stop_grace_s = _grace(environ)
        self.log_format = environ.get("WALSUP_LOG_FORMAT") or "auto"
        self.termination_log = environ.get("WALSUP_TERMINATION_LOG") or (
            KUBERNETES_TERMINATION_LOG if os.path.exists(KUBERNETES_TERMINATION_LOG) else ""
        )


def default_run_dir(environ: "Mapping[str, str]", uid: int, pgdata: str) -> str:
    """Return WALSUP_RUN_DIR, else /run/walsup, else $XDG_RUNTIME_DIR/walsup, else one in /tmp.

    The name of the one in /tmp holds the uid and a checksum of PGDATA, so that two databases of one
    user do not share it.
    """
    if explicit := environ.get("WALSUP_RUN_DIR"):
        return os.path.abspath(explicit)
    if uid == 0 or os.access("/run/walsup", os.W_OK) or os.access("/run", os.W_OK):
        return "/run/walsup"
    if (xdg := environ.get("XDG_RUNTIME_DIR")) and os.access(xdg, os.W_OK):
        return os.path.join(xdg, "walsup")
    return _own_in_tmp(uid, pgdata)


def run_dirs(environ: "Mapping[str, str]", uid: int, owner: int, pgdata: str) -> "list[str]":
    """Return where a command finds the run directory of `pgdata`, which belongs to uid `owner`.

    A command may be run by root, or with another environment than the container's.
    """
    pgdata = os.path.normpath(pgdata)
    directories = [default_run_dir(environ, uid, pgdata)]
    if not environ.get("WALSUP_RUN_DIR"):
        directories += ["/run/walsup", f"/run/user/{owner}/walsup", _own_in_tmp(owner, pgdata)]
    return list(dict.fromkeys(directories))


def _own_in_tmp(uid: int, pgdata: str) -> str:
    checksum = zlib.crc32(pgdata.encode(errors="surrogateescape"))
    return f"/tmp/walsup-{uid}-{checksum:08x}"  # noqa: S108 (0700, its owner is checked)


def _grace(environ: "Mapping[str, str]") -> float:
    text = environ.get("WALSUP_STOP_GRACE")
    try:
        return max(duration(text), SHORTEST_STOP_GRACE_S) if text else stop_grace.default_s(environ)
    except ValueError:
        return stop_grace.default_s(environ)
