"""How others' names are noticed; `translation` is loaded only where one of them is set."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

THEIR_NAMES = (
    "ARCHIVE",
    "BACKUP_",
    "CLONE_",
    "INITDB_LOCALE",
    "PGPASSWORD_",
    "PGROOT",
    "PGUSER_",
    "POSTGRESQL_",
    "PRIMARY_HOST",
    "RESTORE",
    "SCOPE",
    "SPILO_CONFIGURATION",
    "STANDBY",
    "STREAMING",
    "WALE_",
    "WAL_",
)
KUBEDB_SECRETS = "/srv/wal-g/archive/secrets"
OTHER_STORES = (  # which this version does not archive to
    *(f"ARCHIVE_{store}_PREFIX" for store in ("GS", "AZ", "SWIFT")),
    *(f"WAL_{store}_BUCKET" for store in ("GS", "GCS", "SWIFT")),
)


class TranslatedSetting(NamedTuple):
    """A setting of ours, by their name: `source` is what a note calls it."""

    source: str
    name: str
    text: str


class Translation(NamedTuple):
    """What others' names mean.

    `ours`: settings under walsup's names; `no_new_cluster`: which name asks for a data directory
    that is not made by initdb; `consumed`: names that mean nothing besides.
    """

    ours: Mapping[str, str] = MappingProxyType({})
    notes: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    no_new_cluster: str = ""
    consumed: frozenset[str] = frozenset()
