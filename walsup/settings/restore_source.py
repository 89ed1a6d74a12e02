"""Where a restore reads from: its own endpoint and credentials, and the names of others for it.

All or nothing: when any of the source's own is given, nothing of the archive's is used for it.
A key must not reach a server that it is not meant for.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from walsup.settings.refusal import refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from walsup.settings.schema import Settings

_BUCKETS = ("WALG_", "AWS_", "S3_", "WALE_", "YC_")
OWN = tuple(f"RESTORE_{prefix}" for prefix in _BUCKETS)
_DIRECTORY = "WALSUP_RESTORE_SECRETS_DIR"
_KUBEDB_SECRETS = "/srv/wal-g/restore/secrets"
_YES = ("true", "1", "yes", "on")

# Source: KubeDB 0.13, Spilo's documentation of clones.
_KUBEDB = {
    "RESTORE_S3_PREFIX": "WALSUP_RESTORE_FROM",
    "RESTORE_S3_ENDPOINT": "RESTORE_AWS_ENDPOINT",
    "BACKUP_NAME": "WALSUP_RESTORE_BACKUP",
}
_KUBEDB_PITR = ("TIME", "TIMELINE", "XID", "INCLUSIVE")
_SPILO = {
    "CLONE_WALE_S3_PREFIX": "WALSUP_RESTORE_FROM",
    "CLONE_WALG_S3_PREFIX": "WALSUP_RESTORE_FROM",
    "CLONE_TARGET_TIME": "WALSUP_RESTORE_TARGET_TIME",
    "CLONE_TARGET_TIMELINE": "WALSUP_RESTORE_TARGET_TIMELINE",
    "CLONE_TARGET_INCLUSIVE": "WALSUP_RESTORE_TARGET_INCLUSIVE",
    "CLONE_WALG_BACKUP_NAME": "WALSUP_RESTORE_BACKUP",
}


def origin(known: "Settings", *, own: bool) -> "Settings":
    """Return the settings that read what is restored: a source's, or the archive's `own`.

    Raises:
        SettingsError: something is wrong with those of the source.
    """
    if own:
        return known
    if known.source is None:
        raise refusal(known.source_faults or ("WALSUP_RESTORE_FROM is not set",))
    return known.source


def restores(environ: Mapping[str, str], root: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield what KubeDB's and Spilo's names of a restore mean: theirs, ours, the text."""
    found = (*_of_kubedb(environ, root), *_of_spilo(environ))
    yield from ((theirs, ours, text) for theirs, ours, text in found if text)


def _of_kubedb(environ: Mapping[str, str], root: str) -> Iterator[tuple[str, str, str]]:
    if environ.get("RESTORE", "").lower() not in _YES or not environ.get("RESTORE_S3_PREFIX"):
        return
    for theirs, ours in _KUBEDB.items():
        yield theirs, ours, environ.get(theirs, "")
    if environ.get("PITR", "").lower() in _YES:
        for what in _KUBEDB_PITR:
            yield (
                f"TARGET_{what}",
                f"WALSUP_RESTORE_TARGET_{what}",
                environ.get(f"TARGET_{what}", ""),
            )
    if Path(root + _KUBEDB_SECRETS).is_dir():
        yield _KUBEDB_SECRETS, _DIRECTORY, _KUBEDB_SECRETS


def _of_spilo(environ: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    bucket = environ.get("CLONE_WAL_S3_BUCKET", "") if environ.get("CLONE_SCOPE") else ""
    if not bucket and not any(map(environ.get, ("CLONE_WALG_S3_PREFIX", "CLONE_WALE_S3_PREFIX"))):
        return
    if bucket:
        yield "CLONE_WAL_S3_BUCKET", "WALSUP_RESTORE_FROM", _of_scope(environ, bucket)
    for theirs, ours in _SPILO.items():
        yield theirs, ours, environ.get(theirs, "")
    for name, text in environ.items():
        if name.startswith(("CLONE_AWS_", "CLONE_WALG_")) and name not in _SPILO:
            yield name, name.replace("CLONE_", "RESTORE_", 1), text


def _of_scope(environ: Mapping[str, str], bucket: str) -> str:
    """Return Spilo's place of another cluster's archive."""

    def of(name: str) -> str:
        return environ.get(f"CLONE_{name}", "")

    version = of("PGVERSION") or environ.get("PGVERSION") or environ.get("PG_MAJOR") or ""
    scope = of("WAL_BUCKET_SCOPE_PREFIX") + of("SCOPE") + of("WAL_BUCKET_SCOPE_SUFFIX")
    return f"s3://{bucket}/spilo/{scope}/wal/{version}".rstrip("/")


def environment(environ: Mapping[str, str], place: str) -> dict[str, str]:
    """Return the environment in which the source is the archive, without restore settings."""
    own = {name.removeprefix("RESTORE_"): text for name, text in _own(environ)}
    kept = {n: t for n, t in environ.items() if not n.startswith(("WALSUP_RESTORE_", *OWN))}
    kept.pop("WALSUP_ON_EMPTY_PGDATA", None)
    if own or environ.get(_DIRECTORY):
        kept = {n: t for n, t in kept.items() if not n.startswith((*_BUCKETS, "WALSUP_CA_FILE"))}
        kept["WALSUP_SECRETS_DIR"] = environ.get(_DIRECTORY, "")
    for alias in ("WALG_S3_PREFIX", "WALG_FILE_PREFIX"):
        for name in (alias, f"{alias}_FILE"):
            kept.pop(name, None)
            own.pop(name, None)
    kept.pop("WALSUP_ARCHIVE_FILE", None)
    return kept | own | {"WALSUP_ARCHIVE": place}


def _own(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    # RESTORE_S3_PREFIX and RESTORE_S3_ENDPOINT are KubeDB's names, and translated.
    return ((n, t) for n, t in environ.items() if n.startswith(OWN) and t and n not in _KUBEDB)
