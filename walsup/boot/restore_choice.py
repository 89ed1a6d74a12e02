"""Which archive a start on an empty data directory restores: the database's own, or the source.

Nothing is written, also not in the data directory.
"""

from typing import NamedTuple

from walsup.archive.faults import Fault
from walsup.archive.storage.fault_mapping import classify
from walsup.boot import plan
from walsup.boot.new_cluster import archive_check
from walsup.errors import ArchiveError, ArchiveNotEmptyError, SettingsError
from walsup.settings import Settings


class Choice(NamedTuple):
    """`known`: the settings, with the archive where it continues. `why`: for an operator."""

    known: Settings
    own: bool
    why: str = ""

    @property
    def place(self) -> str:
        """Return the archive that is restored."""
        return str(self.known.archive if self.own else self.known.restore_from)


def choose(known: Settings) -> Choice:
    """Return which archive is restored; with both settings that depends on the own archive.

    Raises:
        SettingsError: there is none; ArchiveNotEmptyError: a start restores nothing;
        ArchiveError: the own archive cannot be read.
    """
    if known.archive is None and known.restore_from is None:
        raise SettingsError(
            "neither WALSUP_RESTORE_FROM nor WALSUP_ARCHIVE is set: there is no archive to examine",
            hint="run it in the database's container, with its environment",
        )
    if known.archive is None:
        return Choice(known, own=False)
    try:
        found = archive_check.look(known)
    except Exception as raised:
        raise unreadable(known.archive, classify(raised)) from raised
    known = known._replace(archive=found.archive)
    if known.restore_from is None:
        return Choice(known, own=True, why="this database's own archive")
    wish = plan.Wish(known.on_empty_pgdata, restores=True)
    decided = plan.decide(
        plan.Empty(), binaries_major=None, archived=found.archived, may_create=True, wish=wish
    )
    match decided:
        case plan.RestoreFromArchive(own=True):
            why = "this database's own archive: WALSUP_RESTORE_FROM is used only while it is empty"
            return Choice(known, own=True, why=why)
        case plan.RestoreFromArchive():
            return Choice(known, own=False, why="WALSUP_RESTORE_FROM: WALSUP_ARCHIVE is empty")
        case _:
            raise ArchiveNotEmptyError(
                f"nothing would be restored: WALSUP_RESTORE_FROM is used only while WALSUP_ARCHIVE"
                f" is empty, and {known.archive} holds a cluster ({found.archived}), which"
                f" WALSUP_ON_EMPTY_PGDATA={known.on_empty_pgdata} does not restore",
                hint="to restore that cluster, set WALSUP_ON_EMPTY_PGDATA=restore; to restore"
                " WALSUP_RESTORE_FROM, set WALSUP_ARCHIVE to another prefix; nothing has been"
                " touched",
            )


def for_list(known: Settings) -> Choice:
    """Return which archive to list: where nothing would be restored, the source.

    Raises:
        SettingsError, ArchiveError: as `choose` does.
    """
    try:
        return choose(known)
    except ArchiveNotEmptyError:
        return Choice(known, own=False, why="WALSUP_RESTORE_FROM")


def unreadable(place: object, fault: Fault) -> ArchiveError:
    """Return the error for an archive that does not answer."""
    return ArchiveError(
        f"{place} cannot be read ({fault.kind}): {fault.problem}",
        hint=f"{fault.cure}; a restore would wait until it can be read",
    )
