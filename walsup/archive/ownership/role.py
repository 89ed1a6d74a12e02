"""The present role of a former primary's directory, by the archive's owner object. Pure.

Rule role-from-the-archive.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from walsup.archive.catalog.timelines import TimelineHistory
from walsup.archive.owner_record import Owner
from walsup.datadir.markers import Adoption
from walsup.postgres.wal import Switch, show_lsn


class ThisInstance(NamedTuple):
    """This directory. `left`: where it left the timelines before its own.

    `owned`: it remembers that it owned the archive. `known_epoch`: the highest epoch of an owner
    object that it has seen there.
    """

    system_id: int
    instance: str
    timeline: int
    left: tuple[Switch, ...] = ()
    owned: bool = False
    adoption: Adoption | None = None
    known_epoch: int = 0


class StayPrimary(NamedTuple):
    """It is the primary, as far as the archive says; `why` in words."""

    why: str


class StepDown(NamedTuple):
    """Another instance is the primary: it left this timeline at `fork_lsn`, for `timeline`."""

    timeline: int
    fork_lsn: int


class HeldByAnother(NamedTuple):
    """Another instance holds the archive, but did not continue from here: read-only for now."""

    problem: str
    hint: str


class Neither(NamedTuple):
    """Nothing that walsup may decide."""

    problem: str
    hint: str


Rank = StayPrimary | StepDown | HeldByAnother | Neither

_BY_HAND = "to make this instance the primary, run `walsup adopt` and set WALSUP_ROLE=primary"


def decide_role(  # noqa: PLR0911 (a list of cases)
    own: ThisInstance, owner: Owner | None, lines: Iterable[TimelineHistory], *, empty: bool
) -> Rank:
    """Tell it.

    `lines`: the archive's timelines above this one, each with those that lead to it; the owner's
    own is in its object only when something of it is verified. `empty`: nothing is archived.
    """
    holder = (owner.instance, owner.boot, owner.epoch) if owner else None
    if own.adoption is not None and own.adoption.means(holder):
        return StayPrimary("an operator decided so")
    if owner is None:
        if own.owned and not empty:
            return Neither("the archive's owner object has been deleted", _BY_HAND)
        return StayPrimary("the archive never had an owner")
    if owner.system_id != own.system_id:
        if empty:
            return StayPrimary("nothing is archived")
        return Neither(
            f"the archive belongs to the cluster with system identifier {owner.system_id}, but"
            f" this cluster has {own.system_id}",
            "give each database its own prefix, and a standby the prefix of its primary",
        )
    if owner.instance == own.instance:
        return StayPrimary("it owns the archive")
    if owner.epoch < own.known_epoch:
        return Neither(
            f"the archive's owner object has epoch {owner.epoch} (instance {owner.instance}),"
            f" but this data directory has seen epoch {own.known_epoch}: the bucket has an"
            " older state",
            "find out what restored an older state of the bucket; " + _BY_HAND,
        )
    left_lsn = next((s.switch_lsn for s in own.left if s.timeline == owner.timeline), None)
    if left_lsn is not None and left_lsn >= owner.lsn:
        return StayPrimary(f"it has left the owner's timeline at {show_lsn(left_lsn)}")
    if left_lsn is not None:
        return HeldByAnother(
            f"this data directory has left timeline {owner.timeline} at {show_lsn(left_lsn)},"
            f" before the end of what the owner, instance {owner.instance}, has archived of it"
            f" ({show_lsn(owner.lsn)})",
            "if the owner is the primary, empty this data directory: it is then built as a"
            f" standby; {_BY_HAND}",
        )
    return _forked(own, owner, tuple(lines))


def _forked(
    own: ThisInstance, owner: Owner, lines: Sequence[TimelineHistory]
) -> StepDown | HeldByAnother | Neither:
    line = _of_owner(owner, lines)
    for leg in line.legs if line else ():
        if leg.timeline == own.timeline and leg.end_lsn is not None:
            return StepDown(line.timeline if line else 0, leg.end_lsn)
    if owner.next_timeline > owner.timeline and line is None:
        return HeldByAnother(
            f"instance {owner.instance} has claimed the archive to be promoted to timeline"
            f" {owner.next_timeline}, which it has not started yet",
            "run `walsup promote` there again; or, if that instance is lost, run `walsup adopt`"
            " here",
        )
    return Neither(
        f"the archive belongs to another copy of this cluster, instance {owner.instance} on"
        f" timeline {owner.timeline}; this one is on timeline {own.timeline}",
        f"find out which of them is the primary; {_BY_HAND}",
    )


def _of_owner(owner: Owner, lines: Sequence[TimelineHistory]) -> TimelineHistory | None:
    """Return the line of the owner's timeline; of the newest, if the owner has verified nothing.

    A number that was claimed for a promotion belongs to the owner, even if another has a higher
    one.
    """
    for number in (owner.timeline, owner.next_timeline):
        if found := next((line for line in lines if line.timeline == number), None):
            return found
    if owner.next_timeline > owner.timeline:
        return None
    return max(lines, key=lambda line: line.timeline, default=None)
