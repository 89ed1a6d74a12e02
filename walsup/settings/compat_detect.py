"""How others' names are noticed; what they mean is in `foreign`, loaded only where they are."""

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
