"""`walsup adopt`: an operator decides that this data directory continues an archive.

Rule ownership.
"""

import asyncio

from walsup.archive.owner_record import Owner
from walsup.archive.paths import OWNER_KEY
from walsup.archive.storage.bucket import open_bucket
from walsup.archive.storage.fault_mapping import classify, is_absent
from walsup.datadir import markers
from walsup.datadir.markers import Adoption
from walsup.errors import ArchiveError, SettingsError
from walsup.postgres import pg_control
from walsup.postgres.wal import show_lsn
from walsup.settings import Settings


def find(known: Settings) -> tuple[Adoption, str]:
    """Return what is to be decided, and a description of its effect.

    Raises:
        SettingsError, DataDirectoryError, ArchiveError: nothing can be adopted here.
    """
    if known.archive is None:
        raise SettingsError("WALSUP_ARCHIVE is not set", hint="set it as in the container")
    found = pg_control.read(known.pgdata)
    owner = _owner(known)
    archive = str(known.archive)
    here = (
        f"this data directory: {known.pgdata}, system identifier {found.system_id}, timeline"
        f" {found.timeline}, last checkpoint {show_lsn(found.checkpoint_lsn)}"
    )
    if owner is None:
        if not markers.owned(known.pgdata, archive):
            raise ArchiveError(
                f"{archive} has no owner object, and this data directory has never owned it",
                hint="no adoption is needed: a start claims the archive if its WAL belongs to"
                " this cluster",
            )
        return Adoption(archive, None), f"{archive} has lost its owner object\n{here}"
    if owner.state == "wiping":
        raise ArchiveError(
            f"{archive} is being wiped",
            hint="set WALSUP_ARCHIVE to another prefix, or let `walsup wipe` finish",
        )
    if owner.system_id != found.system_id:
        raise ArchiveError(
            f"{archive} belongs to the cluster with system identifier {owner.system_id}, but"
            f" this cluster has {found.system_id}",
            hint="set WALSUP_ARCHIVE to a prefix that only this database uses",
        )
    if owner.instance == markers.instance(known.pgdata):
        raise ArchiveError(
            f"{archive} belongs to this data directory already (state {owner.state})",
            hint="see `walsup status` for the reason; after a kill the lease must expire first",
        )
    theirs = (
        f"{archive} belongs to instance {owner.instance}, state {owner.state}, epoch"
        f" {owner.epoch}, timeline {owner.timeline}, archived up to {show_lsn(owner.lsn)}"
    )
    return Adoption(archive, (owner.instance, owner.boot, owner.epoch)), f"{theirs}\n{here}"


def decide(known: Settings, adoption: Adoption) -> None:
    """Note the decision in the data directory; the running agent, or the next start, acts on it."""
    markers.remember_adoption(known.pgdata, adoption)


def _owner(known: Settings) -> Owner | None:
    try:
        return Owner.from_json(asyncio.run(open_bucket(known).get(OWNER_KEY)).content)
    except Exception as raised:  # noqa: BLE001 (it is reported, whatever it is)
        if is_absent(raised):
            return None
        fault = classify(raised)
        raise ArchiveError(
            f"{known.archive} cannot be read ({fault.kind}): {fault.problem}", hint=fault.cure
        ) from None
