"""What does not go together in the settings of a standby. Pure."""

from collections.abc import Iterator

from walsup.settings.schema import Settings


def faults_of_role(settings: Settings) -> Iterator[str]:
    """Yield what is wrong: a standby of nothing, a primary that follows."""
    role = settings.role
    if role == "primary":
        if settings.primary_conninfo:
            yield (
                "WALSUP_PRIMARY_CONNINFO needs WALSUP_ROLE=standby: a primary does not follow"
                " another database"
            )
        return
    if role == "auto" and not settings.archive:
        yield (
            "WALSUP_ROLE=auto needs WALSUP_ARCHIVE: the archive's owner object records which"
            " instance is the primary"
        )
    if role == "standby" and not settings.archive and not settings.primary_conninfo:
        yield (
            "WALSUP_ROLE=standby needs WALSUP_ARCHIVE, WALSUP_PRIMARY_CONNINFO, or both: there is"
            " nothing to follow"
        )
    if role == "standby" and settings.restore_from:
        yield (
            "WALSUP_RESTORE_FROM with WALSUP_ROLE=standby: a standby is built from the archive of"
            " the database that it follows (WALSUP_ARCHIVE)"
        )
    if settings.on_empty_pgdata != "refuse":
        yield (
            f"WALSUP_ON_EMPTY_PGDATA={settings.on_empty_pgdata} with WALSUP_ROLE={role}: an empty"
            " data directory becomes a standby's when the archive holds a cluster"
        )
