"""Where a target of time leads, and which moment a refusal names."""

from datetime import UTC, datetime, timedelta

import pytest

from walsup.archive.catalog.base_backups import Backup
from walsup.archive.catalog.timelines import TimelineHistory
from walsup.archive.owner_record import Owner
from walsup.boot.restore import reachability
from walsup.boot.restore.restore_plan import Findings, Selection
from walsup.boot.restore.target import Target
from walsup.postgres.wal import Segment

SIZE = 1 << 24
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)
BACKUP = Backup(
    name="base_000000010000000000000002",
    system_id=1,
    start_lsn=2 * SIZE + 40,
    finish_lsn=2 * SIZE + 300,
    finished_at=(NOON - timedelta(hours=1)).isoformat(),
    uploaded_at=0.0,
    delta=False,
)


def _selection(complete_until: datetime | None) -> Selection:
    owner = Owner(
        system_id=1,
        instance="i",
        boot="b",
        epoch=1,
        timeline=1,
        lsn=5 * SIZE,
        state="stopped",
        compression="zstd",
        complete_until=complete_until.timestamp() if complete_until else 0.0,
    )
    return Selection(
        owner=owner,
        line=TimelineHistory.of(1, ()),
        chain=(BACKUP,),
        first=Segment(timeline=1, number=2, size=SIZE),
        last=Segment(timeline=1, number=5, size=SIZE),
    )


def _at(moment: datetime, *, inclusive: bool = True) -> Target:
    return Target("time", moment.isoformat(sep=" ", timespec="microseconds"), inclusive)


@pytest.mark.parametrize(
    ("target", "inclusive", "complete_until", "ends"),
    [
        (NOON - TICK, True, None, "target"),
        (NOON, False, None, "target"),
        (NOON, True, None, "quiet"),
        (NOON + TICK, True, NOON + TICK, "quiet"),
        (NOON + TICK, True, NOON, ""),
        (NOON + TICK, False, None, ""),
        (NOON + TICK, True, None, ""),
    ],
)
@pytest.mark.rule("quiet-database")
def test_where_a_moment_leads(
    target: datetime, complete_until: datetime | None, ends: str, *, inclusive: bool
) -> None:
    """The last commit was at noon: postgres needs a later one to stop at."""
    findings = Findings()
    wanted = _at(target, inclusive=inclusive)
    told = reachability.aim_at_time(_selection(complete_until), wanted, NOON, findings)
    assert ("" if findings.faults else told) == ends


@pytest.mark.parametrize("until", [NOON, None, NOON - timedelta(hours=2)])
@pytest.mark.parametrize("complete_until", [None, NOON + timedelta(seconds=3)])
def test_the_moment_that_a_refusal_names_is_reached(
    until: datetime | None, complete_until: datetime | None
) -> None:
    """None is named that would be refused in its turn, or lead to another base backup."""
    findings, again = Findings(), Findings()
    selection = _selection(complete_until)
    reachability.aim_at_time(selection, _at(NOON + timedelta(hours=1)), until, findings)
    said = findings.faults[0].partition("moment that can be reached is ")[2]
    if not said:
        assert "to restore to the end" in findings.faults[0]
        return
    named = datetime.fromisoformat(said)
    assert named > datetime.fromisoformat(BACKUP.finished_at)
    reachability.aim_at_time(selection, _at(named), until, again)
    assert again.faults == []
