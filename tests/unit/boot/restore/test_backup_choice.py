"""Which base backup a restore begins with."""

import pytest

from walsup.archive.catalog.base_backups import Backup
from walsup.archive.catalog.inventory import Offer
from walsup.archive.catalog.timelines import TimelineHistory
from walsup.boot.restore import backup_choice
from walsup.boot.restore.target import Target
from walsup.postgres.wal import Switch

SIZE = 1 << 24


def backup(timeline: int, number: int, *, hour: int, delta_from: str = "") -> Backup:
    """One that began in a segment, and was finished at a full hour."""
    return Backup(
        name=f"base_{timeline:08X}{0:08X}{number:08X}",
        system_id=1,
        start_lsn=number * SIZE + 40,
        finish_lsn=number * SIZE + 300,
        finished_at=f"2026-01-01T{hour:02}:00:00Z",
        uploaded_at=0.0,
        delta=bool(delta_from),
        delta_from=delta_from,
    )


FIRST, SECOND = backup(1, 2, hour=1), backup(1, 9, hour=2)
# Timeline 2 left timeline 1 in segment 5: the second backup is of the future that was given up.
BESIDE = backup(2, 7, hour=3)
OFFER = Offer(backups=(FIRST, BESIDE, SECOND), timelines=(1, 2), owner=None)
TWO = TimelineHistory.of(2, (Switch(timeline=1, switch_lsn=5 * SIZE, reason=""),))
ONE = TimelineHistory.of(1, ())


@pytest.mark.parametrize(
    ("line", "target", "named", "names"),
    [
        (TWO, Target(), "", [BESIDE, FIRST]),
        (ONE, Target(), "", [SECOND, FIRST]),
        (ONE, Target("time", "2026-01-01 02:30:00+00:00"), "", [SECOND, FIRST]),
        (ONE, Target("time", "2026-01-01 01:30:00+00:00"), "", [FIRST]),
        (TWO, Target("lsn", "0/5000000"), "", [FIRST]),
        (ONE, Target("xid", "7"), "", [FIRST, SECOND]),
        (ONE, Target("name", "x"), SECOND.name, [SECOND]),
    ],
)
def test_the_newest_before_the_target_on_the_line(
    line: TimelineHistory, target: Target, named: str, names: list[Backup]
) -> None:
    """Not LATEST: what lies behind the target, or beside the line, does not lead there."""
    found, problem = backup_choice.candidates(OFFER, line, target, named)
    assert problem == ""
    assert list(found) == names


@pytest.mark.parametrize(
    ("line", "target", "named", "says"),
    [
        (ONE, Target("time", "2026-01-01 00:30:00+00:00"), "", "earliest moment"),
        (ONE, Target("time", "2026-01-01 01:30:00+00:00"), SECOND.name, "after the target"),
        (TWO, Target(), SECOND.name, "does not lead to the requested timeline"),
        (ONE, Target(), "base_x", "there is no finished base backup base_x"),
        (TimelineHistory.of(7, ()), Target(), "", "no finished base backup leads to timeline 7"),
    ],
)
def test_why_there_is_none(line: TimelineHistory, target: Target, named: str, says: str) -> None:
    """With what there is instead."""
    found, problem = backup_choice.candidates(OFFER, line, target, named)
    assert not found
    assert says in problem


def test_the_timeline() -> None:
    """That of the line, of the newest backup on it, of the named backup, or the one named."""
    assert backup_choice.timeline(OFFER, TWO, Target(), "") == 2
    assert backup_choice.timeline(OFFER, ONE, Target(timeline="current"), "") == 1
    assert backup_choice.timeline(OFFER, TWO, Target(timeline="current"), "") == 2
    assert backup_choice.timeline(OFFER, None, Target(timeline="current"), FIRST.name) == 1
    assert backup_choice.timeline(OFFER, None, Target(timeline="1"), "") == 1
    with pytest.raises(ValueError, match="there is no timeline 5 in the archive; there are: 1, 2"):
        backup_choice.timeline(OFFER, ONE, Target(timeline="5"), "")


def test_a_delta_brings_along_what_it_is_made_of() -> None:
    """Up to the full one; a link that is missing is named."""
    middle = backup(1, 10, hour=4, delta_from=SECOND.name)
    last = backup(1, 11, hour=5, delta_from=middle.name)
    offer = Offer(backups=(SECOND, middle, last), timelines=(1,), owner=None)
    assert backup_choice.chain(offer, last) == ([last, middle, SECOND], "")
    broken = Offer(backups=(last,), timelines=(1,), owner=None)
    assert backup_choice.chain(broken, last) == ([last], middle.name)
