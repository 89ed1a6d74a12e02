"""The decision to grant ownership (rule ownership): owner object against claimant. Pure."""

from dataclasses import replace
from typing import NamedTuple

from walsup.archive.faults import Fault, FaultKind
from walsup.archive.lease_terms import RIVAL_LEASES
from walsup.archive.owner_record import Owner
from walsup.archive.ownership.claimant import Claimant
from walsup.postgres.wal import Segment, show_lsn

_NEW_PREFIX = (
    "set WALSUP_ARCHIVE to a prefix that only this database uses; a first base backup is taken"
    " there"
)
_ADOPT = "to continue the archive with this data directory, run: walsup adopt"


class Take(NamedTuple):
    """What to write over the object that was read, and why this instance may."""

    owner: Owner
    why: str


class TryAgain(NamedTuple):
    """Another start holds the archive, or held it until a moment ago: ask again.

    `living`: the holder, when it wrote the object while this start watched.
    """

    fault: Fault
    living: Owner | None = None


class Rejected(NamedTuple):
    """The archive is another's. `foreign`: it will stay so, and the next start need not archive.

    `living`: as in TryAgain.
    """

    fault: Fault
    foreign: bool = True
    living: Owner | None = None


def decide_claim(
    owner: Owner, claimant: Claimant, *, unchanged_s: float, empty: bool, mark_lsn: int
) -> Take | TryAgain | Rejected:
    """Decide.

    `unchanged_s`: for how long the object has been unchanged, by this machine's clock. `empty`: the
    archive holds nothing else. `mark_lsn`: the end of what is archived on the owner's timeline.
    """
    ours = owner.system_id == claimant.control.system_id
    if ours and owner.boot == claimant.boot and owner.state == "running":
        # It is written again nevertheless: only a write of this start begins a lease. A claim from
        # before a promotion may reach further than this directory did.
        return Take(claimant.comes_to(owner), "same start")
    allowed = _allowed(owner, claimant, ours=ours, empty=empty, mark_lsn=mark_lsn)
    if isinstance(allowed, Rejected) or _is_free(owner, claimant, unchanged_s):
        return allowed
    return TryAgain(
        Fault(
            kind=FaultKind.NOT_THE_OWNER,
            problem=f"another start of instance {owner.instance} holds the archive (epoch"
            f" {owner.epoch}); its lease was last renewed {unchanged_s:.0f} s ago and expires"
            f" after {_patience_s(owner, claimant):g} s",
            remedy="wait, if the last container was killed; if it runs elsewhere on a copy of"
            " this volume, stop one of the two, or give this one its own prefix",
        )
    )


def _allowed(  # noqa: PLR0911 (a list of cases)
    owner: Owner, claimant: Claimant, *, ours: bool, empty: bool, mark_lsn: int
) -> Take | Rejected:
    """Decide as if no instance held it."""
    if owner.state == "wiping":
        return Rejected(_fault("the archive is being wiped", _NEW_PREFIX), foreign=False)
    if not ours and not empty:
        return Rejected(
            _fault(
                f"the archive belongs to the cluster with system identifier {owner.system_id},"
                f" but this cluster has {claimant.control.system_id}",
                _NEW_PREFIX,
            )
        )
    if not ours:
        taken = claimant.begins(
            epoch=owner.epoch + 1, compression=claimant.compression, backups_from=0
        )
        return Take(taken, "its owner has archived nothing")
    if owner.instance == claimant.instance:
        return Take(claimant.takes(owner), "same instance")
    if claimant.adopts(owner):
        redo_lsn = claimant.redo_segment.start_lsn
        taken = claimant.begins(
            epoch=owner.epoch + 1, compression=owner.compression, backups_from=redo_lsn
        )
        return Take(taken, "adopted")
    if (left_lsn := claimant.left_at(owner.timeline)) is None:
        return Rejected(
            _fault(
                "the archive belongs to another copy of this cluster, instance"
                f" {owner.instance} on timeline {owner.timeline} (state {owner.state}); this data"
                f" directory is {claimant.instance} on timeline {claimant.control.timeline}",
                f"{_ADOPT}; otherwise {_NEW_PREFIX}",
            )
        )
    if left_lsn < max(mark_lsn, owner.lsn):
        return Rejected(
            _fault(
                f"this data directory has left timeline {owner.timeline} at {show_lsn(left_lsn)},"
                f" before the end of what instance {owner.instance} has archived of it"
                f" ({show_lsn(max(mark_lsn, owner.lsn))})",
                f"{_ADOPT}; otherwise {_NEW_PREFIX}",
            )
        )
    return Take(claimant.takes(owner), "its timeline was continued here")


def reclaim(
    owner: Owner | None, claimant: Claimant, *, unchanged_s: float, mark: Segment, new_timeline: int
) -> Take | TryAgain | Rejected:
    """Decide for a restore of this archive, before its recovery may end (rule new-timeline).

    `mark`: the last archived segment on the line that is followed; `new_timeline`: a number under
    which nothing exists, and which no other instance takes while this one holds the object.
    """

    def marked(taken: Owner) -> Owner:
        return replace(taken, timeline=mark.timeline, lsn=mark.end_lsn, next_timeline=new_timeline)

    if owner is None:
        epoch = claimant.known_epoch + 1
        first = claimant.begins(epoch=epoch, compression=claimant.compression, backups_from=0)
        return Take(marked(first), "the archive had no owner")
    if owner.state == "wiping":
        return Rejected(_fault("the archive is being wiped", _NEW_PREFIX), foreign=False)
    if owner.system_id != claimant.control.system_id:
        return Rejected(
            _fault(
                f"the archive belongs to the cluster with system identifier {owner.system_id},"
                f" but the restored cluster has {claimant.control.system_id}",
                "restore it with WALSUP_RESTORE_FROM, into its own prefix",
            )
        )
    if owner.boot != claimant.boot and not _is_free(owner, claimant, unchanged_s):
        return TryAgain(
            Fault(
                kind=FaultKind.NOT_THE_OWNER,
                problem=f"instance {owner.instance} holds the archive (epoch {owner.epoch}), and"
                f" last renewed its lease {unchanged_s:.0f} s ago; the restore continues, and"
                f" ends when its lease expires, after {_patience_s(owner, claimant):g} s",
                remedy="wait, if it was killed; if it runs elsewhere, stop it, or make a clone"
                " with WALSUP_RESTORE_FROM",
            )
        )
    return Take(marked(claimant.takes(owner)), "restored from it")


def promotion(
    owner: Owner, claimant: Claimant, *, unchanged_s: float, new_timeline: int
) -> Take | TryAgain | Rejected:
    """Decide for a standby that is to be promoted, before postgres is asked to.

    `new_timeline`: a number under which nothing exists. It is claimed together with the archive, so
    that two promotions never begin the same timeline.
    """
    if owner.state == "wiping":
        return Rejected(_fault("the archive is being wiped", _NEW_PREFIX), foreign=False)
    if owner.system_id != claimant.control.system_id:
        return Rejected(
            _fault(
                f"the archive belongs to the cluster with system identifier {owner.system_id},"
                f" but this standby has {claimant.control.system_id}",
                "give this standby the archive of its primary",
            )
        )
    ours = owner.instance == claimant.instance and owner.boot == claimant.boot
    if not ours and not _is_free(owner, claimant, unchanged_s):
        return TryAgain(
            Fault(
                kind=FaultKind.NOT_THE_OWNER,
                problem=f"instance {owner.instance} holds the archive (epoch {owner.epoch}), and"
                f" last renewed its lease {unchanged_s:.0f} s ago; the lease expires after"
                f" {_patience_s(owner, claimant):g} s",
                remedy="stop the primary, or wait",
            )
        )
    ours = owner.instance == claimant.instance
    if owner.state == "running" and owner.heirs and not ours and not claimant.is_heir(owner):
        return Rejected(
            _fault(
                f"instance {owner.instance} has not stopped, and can accept writes for as long as"
                f" {', '.join(owner.heirs)} acknowledges its WAL; this standby"
                f" ({claimant.standby_name}) is not among those",
                "stop the primary, or promote one of the named standbys",
            ),
            foreign=False,
        )
    if claimant.has_been_on(owner.timeline):
        taken = claimant.takes(owner)
    else:
        taken = claimant.begins(
            epoch=owner.epoch + 1,
            compression=owner.compression,
            backups_from=claimant.redo_segment.start_lsn,
        )
    return Take(replace(taken, next_timeline=new_timeline), "promoted")


def _is_free(owner: Owner, claimant: Claimant, unchanged_s: float) -> bool:
    """Return whether its holder can no longer write.

    Same place: this start holds the lock that the holder had, on the same kernel, so the holder's
    container is dead.
    """
    same_place = bool(owner.place) and owner.place == claimant.place
    return owner.state == "stopped" or same_place or unchanged_s >= _patience_s(owner, claimant)


def _patience_s(owner: Owner, claimant: Claimant) -> float:
    return RIVAL_LEASES * max(owner.lease_s, claimant.lease_s)


def _fault(problem: str, remedy: str) -> Fault:
    return Fault(kind=FaultKind.NOT_THE_OWNER, problem=problem, remedy=remedy)
