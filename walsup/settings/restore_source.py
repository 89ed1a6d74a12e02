"""Where a restore reads from: its own endpoint and credentials.

All or nothing: when any of the source's own is given, nothing of the archive's is used for it.
A key must not reach a server that it is not meant for.
"""

from collections.abc import Iterator, Mapping

from walsup.settings.refusal import refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from walsup.settings.schema import Settings

_BUCKETS = ("WALG_", "AWS_", "S3_", "WALE_", "YC_")
OWN = tuple(f"RESTORE_{prefix}" for prefix in _BUCKETS)
_DIRECTORY = "WALSUP_RESTORE_SECRETS_DIR"

# KubeDB's names of a restore, and ours. Source: KubeDB 0.13.
KUBEDB_NAMES = {
    "RESTORE_S3_PREFIX": "WALSUP_RESTORE_FROM",
    "RESTORE_S3_ENDPOINT": "RESTORE_AWS_ENDPOINT",
    "BACKUP_NAME": "WALSUP_RESTORE_BACKUP",
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
    return ((n, t) for n, t in environ.items() if n.startswith(OWN) and t and n not in KUBEDB_NAMES)
