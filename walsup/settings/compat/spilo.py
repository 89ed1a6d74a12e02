"""Spilo's names in the environment, and what each means to walsup.

Source: zalando/spilo, configure_spilo.py, write_wale_environment and get_placeholders; its
documentation of clones.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from walsup.settings.compat.detect import TranslatedSetting
from walsup.settings.result import Result
from walsup.system import default_pgdata

_CLONE = {
    "CLONE_WALE_S3_PREFIX": "WALSUP_RESTORE_FROM",
    "CLONE_WALG_S3_PREFIX": "WALSUP_RESTORE_FROM",
    "CLONE_TARGET_TIME": "WALSUP_RESTORE_TARGET_TIME",
    "CLONE_TARGET_TIMELINE": "WALSUP_RESTORE_TARGET_TIMELINE",
    "CLONE_TARGET_INCLUSIVE": "WALSUP_RESTORE_TARGET_INCLUSIVE",
    "CLONE_WALG_BACKUP_NAME": "WALSUP_RESTORE_BACKUP",
}


def archive(environ: Mapping[str, str], root: str) -> Result[tuple[TranslatedSetting, ...]]:
    """Return the prefix that it would archive to."""
    bucket, scope = environ.get("WAL_S3_BUCKET"), environ.get("SCOPE")
    if not bucket or environ.get("WALE_S3_PREFIX") or environ.get("WALG_S3_PREFIX"):
        return Result(())
    version = _major(environ, root)
    if not scope or not version:
        lacks = "PGVERSION" if scope else "SCOPE"
        return Result(
            (), (f"WAL_S3_BUCKET without {lacks}: set WALSUP_ARCHIVE to s3://bucket/prefix",)
        )
    # An empty one is not the same as none.
    before = environ.get("WAL_BUCKET_SCOPE_PREFIX", _namespace_prefix(environ))
    after = environ.get("WAL_BUCKET_SCOPE_SUFFIX", "")
    place = f"s3://{bucket}/spilo/{before}{scope}{after}/wal/{version}"
    return Result((TranslatedSetting("WAL_S3_BUCKET with SCOPE", "WALSUP_ARCHIVE", place),))


def _namespace_prefix(environ: Mapping[str, str]) -> str:
    in_kubernetes = environ.get("KUBERNETES_SERVICE_HOST") is not None
    by_kubernetes = in_kubernetes and environ.get("DCS_ENABLE_KUBERNETES_API")
    usual = environ.get("POD_NAMESPACE", "default") if by_kubernetes else ""
    namespace = environ.get("NAMESPACE", usual)
    return "" if namespace in ("default", "") else f"{namespace}-"


def _major(environ: Mapping[str, str], root: str) -> str:
    """Return the major version of the data, else of the programs, else of what is asked for."""
    try:
        data = Path(f"{root}{default_pgdata.chosen(environ, root)}", "PG_VERSION")
        return data.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        folder = re.search(r"/postgresql/(\d+)/bin", environ.get("PG_BINDIR", ""))
        named = environ.get("PG_MAJOR") or (folder[1] if folder else "")
        return named or environ.get("PGVERSION", "")


def restores(environ: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield what its names of a clone mean: theirs, ours, the text."""
    bucket = environ.get("CLONE_WAL_S3_BUCKET", "") if environ.get("CLONE_SCOPE") else ""
    if not bucket and not any(map(environ.get, ("CLONE_WALG_S3_PREFIX", "CLONE_WALE_S3_PREFIX"))):
        return
    if bucket:
        yield "CLONE_WAL_S3_BUCKET", "WALSUP_RESTORE_FROM", _of_scope(environ, bucket)
    for theirs, ours in _CLONE.items():
        yield theirs, ours, environ.get(theirs, "")
    for name, text in environ.items():
        if name.startswith(("CLONE_AWS_", "CLONE_WALG_")) and name not in _CLONE:
            yield name, name.replace("CLONE_", "RESTORE_", 1), text


def _of_scope(environ: Mapping[str, str], bucket: str) -> str:
    """Return Spilo's place of another cluster's archive."""

    def of(name: str) -> str:
        return environ.get(f"CLONE_{name}", "")

    version = of("PGVERSION") or environ.get("PGVERSION") or environ.get("PG_MAJOR") or ""
    scope = of("WAL_BUCKET_SCOPE_PREFIX") + of("SCOPE") + of("WAL_BUCKET_SCOPE_SUFFIX")
    return f"s3://{bucket}/spilo/{scope}/wal/{version}".rstrip("/")
