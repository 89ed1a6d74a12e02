"""Whether a run continues what the owner object remembers."""

import pytest

from walsup.archive.owner_record import Owner
from walsup.archive.ownership.run_continuity import why_not
from walsup.datadir.continuity import CheckpointPosition, Note
from walsup.postgres.pg_control import DBState

LEFT = CheckpointPosition(0x6000028, 1_700_000_000, 1, 1, DBState.SHUT_DOWN)
BEFORE = LEFT._replace(checkpoint_lsn=0x2000060, state=DBState.IN_PRODUCTION)
OWNER = Owner(
    system_id=7,
    instance="i",
    boot="before",
    epoch=3,
    timeline=1,
    lsn=0x6000000,
    state="stopped",
    compression="zstd",
    position=LEFT,
    position_boot="before",
    position_instance="i",
)


def _note(start: CheckpointPosition, *, is_first: bool) -> Note:
    return Note("s3://b/p", 7, "now", start, start, is_first=is_first)


@pytest.mark.parametrize(("timeline", "continued"), [(1, False), (2, True)])
def test_what_a_standby_or_a_restore_began_with_says_nothing_about_its_new_timeline(
    timeline: int, *, continued: bool
) -> None:
    """Its directory has the base backup's pg_control when the run begins, on the old timeline."""
    note = _note(BEFORE, is_first=True)
    assert (why_not(OWNER, note, "now", "", timeline) == "") is continued


def test_an_older_directory_on_the_same_timeline_is_not_continued() -> None:
    """Nor is one without a note of the run before."""
    assert why_not(OWNER, _note(BEFORE, is_first=False), "now", "", 1)
    assert why_not(OWNER, _note(LEFT, is_first=True), "now", "", 1) == ""
