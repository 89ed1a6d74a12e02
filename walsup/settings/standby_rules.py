"""What does not go together in the settings of a standby. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any


def faults_of_role(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong: a standby of nothing, a primary that follows."""
    role = values["role"]
    if role == "primary":
        if values["primary_conninfo"]:
            yield (
                "WALSUP_PRIMARY_CONNINFO needs WALSUP_ROLE=standby: a primary does not follow"
                " another database"
            )
        return
    if role == "auto" and not values["archive"]:
        yield (
            "WALSUP_ROLE=auto needs WALSUP_ARCHIVE: the archive's owner object records which"
            " instance is the primary"
        )
    if role == "standby" and not values["archive"] and not values["primary_conninfo"]:
        yield (
            "WALSUP_ROLE=standby needs WALSUP_ARCHIVE, WALSUP_PRIMARY_CONNINFO, or both: there is"
            " nothing to follow"
        )
    if role == "standby" and values["restore_from"]:
        yield (
            "WALSUP_RESTORE_FROM with WALSUP_ROLE=standby: a standby is built from the archive of"
            " the database that it follows (WALSUP_ARCHIVE)"
        )
    if values["on_empty_pgdata"] != "refuse":
        yield (
            f"WALSUP_ON_EMPTY_PGDATA={values['on_empty_pgdata']} with WALSUP_ROLE={role}: an empty"
            " data directory becomes a standby's when the archive holds a cluster"
        )
