"""What a directory that was a primary's is now, by the archive's owner object (S19). Pure."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from walsup.archive.owner import Owner
from walsup.archive.window import Line
from walsup.postgres.memory import Adoption
from walsup.postgres.wal import Switch, show_lsn


class Self(NamedTuple):
    """This directory: `left` has where it has left the timelines before its own.

    `owned`: it remembers that the archive was its own.
    """

    system_id: int
    instance: str
    timeline: int
    left: tuple[Switch, ...] = ()
    owned: bool = False
    adoption: Adoption | None = None


class Stay(NamedTuple):
    """It is the primary, as far as the archive says; `why` in words."""

    why: str


class StepDown(NamedTuple):
    """Another is: it has left our timeline at `fork_lsn`, onto `timeline`."""

    timeline: int
    fork_lsn: int


class Neither(NamedTuple):
    """Nothing that walsup may decide."""

    problem: str
    hint: str


Rank = Stay | StepDown | Neither

_BY_HAND = "if this one shall go on, run: walsup adopt, and set WALSUP_ROLE=primary"


def judge(  # noqa: PLR0911 (a list of cases)
    own: Self, owner: Owner | None, lines: Iterable[Line], *, empty: bool
) -> Rank:
    """Tell it.

    `lines`: the archive's timelines above ours, each with those that lead to it; the owner's own
    is shown in its object only when something of it is proven. `empty`: nothing is archived.
    """
    holder = (owner.instance, owner.boot, owner.epoch) if owner else None
    if own.adoption is not None and own.adoption.means(holder):
        return Stay("a person has said so")
    if owner is None:
        if own.owned and not empty:
            return Neither("the archive's owner object has gone", _BY_HAND)
        return Stay("nobody has owned the archive")
    if owner.system_id != own.system_id:
        if empty:
            return Stay("nothing is archived")
        return Neither(
            f"the archive belongs to the cluster with system identifier {owner.system_id}, this"
            f" one is {own.system_id}",
            "give each database a prefix of its own, and a standby that of its primary",
        )
    if owner.instance == own.instance:
        return Stay("it owns the archive")
    left_lsn = next((s.switch_lsn for s in own.left if s.timeline == owner.timeline), None)
    if left_lsn is not None and left_lsn >= owner.lsn:
        return Stay(f"it has left the owner's timeline at {show_lsn(left_lsn)}")
    return _forked(own, owner, tuple(lines))


def _forked(own: Self, owner: Owner, lines: Sequence[Line]) -> StepDown | Neither:
    newest = max(lines, key=lambda line: line.timeline, default=None)
    for leg in newest.legs if newest else ():
        if leg.timeline == own.timeline and leg.end_lsn is not None:
            return StepDown(newest.timeline if newest else 0, leg.end_lsn)
    return Neither(
        f"the archive belongs to another copy of this cluster, instance {owner.instance} on"
        f" timeline {owner.timeline}; this one is on timeline {own.timeline}",
        f"find out which of them is the database; {_BY_HAND}",
    )
