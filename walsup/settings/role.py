"""What does not go together in the settings of a standby. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any


def faults_of_role(values: Mapping[str, Any]) -> Iterator[str]:
    """Say what is wrong: a standby of nothing, a primary that follows."""
    if values["role"] == "standby":
        if not values["archive"] and not values["primary_conninfo"]:
            yield (
                "WALSUP_ROLE=standby needs WALSUP_ARCHIVE, WALSUP_PRIMARY_CONNINFO, or both: there"
                " is nothing to follow"
            )
        if values["restore_from"]:
            yield (
                "WALSUP_RESTORE_FROM with WALSUP_ROLE=standby: a standby is built from the archive"
                " of the database that it follows (WALSUP_ARCHIVE)"
            )
    elif values["primary_conninfo"]:
        yield "WALSUP_PRIMARY_CONNINFO without WALSUP_ROLE=standby: a primary follows nobody"
