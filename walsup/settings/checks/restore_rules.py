"""What does not go together in the settings of a restore. Pure."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from walsup.settings.schema import Settings

_TARGETS = {
    "WALSUP_RESTORE_TARGET_TIME": "restore_target_time",
    "WALSUP_RESTORE_TARGET_LSN": "restore_target_lsn",
    "WALSUP_RESTORE_TARGET_XID": "restore_target_xid",
    "WALSUP_RESTORE_TARGET_NAME": "restore_target_name",
    "WALSUP_RESTORE_TARGET_IMMEDIATE": "restore_target_immediate",
}


def faults_of_restore(settings: Settings, given: AbstractSet[str]) -> Iterator[str]:
    """Yield what is wrong: two targets, a target of nothing, a source that is the destination."""
    targets = [name for name in _TARGETS if name in given]
    if len(targets) > 1:
        yield f"{' and '.join(targets)} are both set: a restore has one target"
    if "WALSUP_RESTORE_TARGET_IMMEDIATE" in given and not settings.restore_target_immediate:
        targets.remove("WALSUP_RESTORE_TARGET_IMMEDIATE")
    if "WALSUP_RESTORE_TARGET_ACTION" in given and not targets:
        yield (
            "WALSUP_RESTORE_TARGET_ACTION is set without a target: a restore to the end of the"
            " archive is always promoted"
        )
    restores = settings.restore_from or settings.on_empty_pgdata == "restore"
    named = sorted(given - {"WALSUP_RESTORE_FROM"})
    named = [name for name in named if name.startswith("WALSUP_RESTORE_")]
    if named and not restores:
        yield (
            f"{', '.join(named)} is set, but nothing is to be restored: set WALSUP_RESTORE_FROM,"
            " or WALSUP_ON_EMPTY_PGDATA=restore for this database's own archive"
        )
    if settings.on_empty_pgdata != "refuse" and not settings.archive:
        yield (
            f"WALSUP_ON_EMPTY_PGDATA={settings.on_empty_pgdata} needs WALSUP_ARCHIVE, the"
            " archive that it refers to"
        )
    if settings.restore_from and settings.archive:
        source, own = str(settings.restore_from), str(settings.archive)
        if f"{source}/".startswith(f"{own}/") or f"{own}/".startswith(f"{source}/"):
            yield (
                f"WALSUP_RESTORE_FROM ({source}) and WALSUP_ARCHIVE ({own}) overlap, and a source"
                " must never be written to: to restore this database's own archive, set"
                " WALSUP_ON_EMPTY_PGDATA=restore instead"
            )
