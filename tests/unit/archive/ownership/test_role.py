"""What a directory that was a primary's is now: a table of cases (S19)."""

from dataclasses import replace

import pytest

from walsup.archive.catalog.timelines import TimelineHistory
from walsup.archive.owner_record import Owner
from walsup.archive.ownership.role import (
    HeldByAnother,
    Neither,
    Rank,
    StayPrimary,
    StepDown,
    ThisInstance,
    decide_role,
)
from walsup.datadir.markers import Adoption
from walsup.postgres.wal import Switch

OWN = ThisInstance(system_id=7, instance="me", timeline=1, owned=True)
OWNER = Owner(
    system_id=7,
    instance="other",
    boot="b",
    epoch=4,
    timeline=2,
    lsn=0x5000000,
    state="running",
    compression="zstd",
)


def _left(timeline: int, lsn: int) -> Switch:
    return Switch(timeline=timeline, switch_lsn=lsn, reason="")


FORKED = TimelineHistory.of(2, (_left(1, 0x4000100),))
OTHERS = TimelineHistory.of(7, (_left(1, 0x3000000),))
ASIDE = TimelineHistory.of(3, (_left(2, 0x4000100),))
# Who asks, the owner object, the timelines above, whether nothing is archived: what comes out.
TABLE: dict[
    str, tuple[ThisInstance, Owner | None, tuple[TimelineHistory, ...], bool, Rank | type[Rank]]
] = {
    "owner": (OWN, replace(OWNER, instance="me"), (), False, StayPrimary),
    "owner, stopped": (OWN, replace(OWNER, instance="me", state="stopped"), (), False, StayPrimary),
    "another went on from ours": (OWN, OWNER, (FORKED,), False, StepDown(2, 0x4000100)),
    "it has proven nothing of its timeline": (
        OWN,
        replace(OWNER, timeline=1),
        (FORKED,),
        False,
        StepDown(2, 0x4000100),
    ),
    "another copy on our timeline": (OWN, replace(OWNER, timeline=1), (), False, Neither),
    "claimed for a promotion that has not begun": (
        OWN,
        replace(OWNER, timeline=1, next_timeline=2),
        (),
        False,
        HeldByAnother,
    ),
    "claimed for one, and another's history has a higher number": (
        OWN,
        replace(OWNER, timeline=1, next_timeline=2),
        (OTHERS,),
        False,
        HeldByAnother,
    ),
    "promoted as claimed, whatever else has a higher number": (
        OWN,
        replace(OWNER, timeline=1, next_timeline=2),
        (OTHERS, FORKED),
        False,
        StepDown(2, 0x4000100),
    ),
    "an owner from before the highest epoch that was known": (
        OWN._replace(known_epoch=5),
        OWNER,
        (FORKED,),
        False,
        Neither,
    ),
    "its own, whatever epoch it has": (
        OWN._replace(known_epoch=5),
        replace(OWNER, instance="me"),
        (),
        False,
        StayPrimary,
    ),
    "a timeline that did not come from ours": (OWN, OWNER, (ASIDE,), False, Neither),
    "promoted, and not yet claimed": (
        OWN._replace(timeline=2, left=(_left(1, 0x5000000),)),
        replace(OWNER, timeline=1),
        (),
        False,
        StayPrimary,
    ),
    "promoted before the end of what was archived": (
        OWN._replace(timeline=2, left=(_left(1, 0x4FFFFFF),)),
        replace(OWNER, timeline=1),
        (),
        False,
        HeldByAnother,
    ),
    "an operator decided so": (
        OWN._replace(adoption=Adoption("s3://b/p", ("other", "b", 4))),
        OWNER,
        (FORKED,),
        False,
        StayPrimary,
    ),
    "another cluster's": (OWN, replace(OWNER, system_id=8), (), False, Neither),
    "another cluster's, and empty": (OWN, replace(OWNER, system_id=8), (), True, StayPrimary),
    "nobody's": (OWN._replace(owned=False), None, (), False, StayPrimary),
    "nobody's any more": (OWN, None, (), False, Neither),
    "nobody's any more, and empty": (OWN, None, (), True, StayPrimary),
}


@pytest.mark.parametrize("case", TABLE)
@pytest.mark.rule("role-from-the-archive")
def test_every_case(case: str) -> None:
    """Only what the archive shows decides; in doubt a person does."""
    own, owner, lines, empty, wanted = TABLE[case]
    found = decide_role(own, owner, lines, empty=empty)
    if isinstance(wanted, type):
        assert isinstance(found, wanted)
    else:
        assert found == wanted
