"""KubeDB's names in the environment, and what each means to walsup.

Source: kubedb/postgres release-0.13, scripts/primary/run.sh.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from walsup.settings.compat.detect import OTHER_STORES, TranslatedSetting
from walsup.settings.restore_source import KUBEDB_NAMES
from walsup.settings.result import Result

_RESTORE_SECRETS = "/srv/wal-g/restore/secrets"
_YES = ("true", "1", "yes", "on")
_PITR = ("TIME", "TIMELINE", "XID", "INCLUSIVE")


def archive(environ: Mapping[str, str]) -> Result[tuple[TranslatedSetting, ...]]:
    """Return where its sidecar would archive to."""
    if environ.get("ARCHIVE") != "wal-g":
        return Result(())
    if prefix := environ.get("ARCHIVE_S3_PREFIX"):
        return Result((TranslatedSetting("ARCHIVE_S3_PREFIX", "WALSUP_ARCHIVE", prefix),))
    if directory := environ.get("ARCHIVE_FILE_PREFIX"):
        place = f"file://{directory}/{environ.get('HOSTNAME') or os.uname().nodename}"
        source = "ARCHIVE_FILE_PREFIX and the host's name"
        return Result((TranslatedSetting(source, "WALSUP_ARCHIVE", place),))
    if any(map(environ.get, ("WALSUP_ARCHIVE", *OTHER_STORES))):
        return Result(())
    return Result((), ("ARCHIVE=wal-g without ARCHIVE_S3_PREFIX: set WALSUP_ARCHIVE",))


def restores(environ: Mapping[str, str], root: str) -> Iterator[tuple[str, str, str]]:
    """Yield what its names of a restore mean: theirs, ours, the text."""
    if environ.get("RESTORE", "").lower() not in _YES or not environ.get("RESTORE_S3_PREFIX"):
        return
    for theirs, ours in KUBEDB_NAMES.items():
        yield theirs, ours, environ.get(theirs, "")
    if environ.get("PITR", "").lower() in _YES:
        for what in _PITR:
            yield (
                f"TARGET_{what}",
                f"WALSUP_RESTORE_TARGET_{what}",
                environ.get(f"TARGET_{what}", ""),
            )
    if Path(root + _RESTORE_SECRETS).is_dir():
        yield _RESTORE_SECRETS, "WALSUP_RESTORE_SECRETS_DIR", _RESTORE_SECRETS
