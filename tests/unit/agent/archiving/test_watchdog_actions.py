"""When segments wait for the archiver, and when archiving has moved."""

from tests.unit.agent.archiving.snapshots import MOVED, NOTHING_WAITS, SHUT, WAITING
from walsup.agent.archiving.watchdog_actions import Progress, segments_wait


def test_segments_wait_only_while_archiving_is_enabled() -> None:
    """A shut gate archives nothing, so nothing is late."""
    assert segments_wait(WAITING)
    assert not segments_wait(NOTHING_WAITS)
    assert not segments_wait(SHUT)


def test_archiving_moves_when_more_is_verified_or_nothing_waits() -> None:
    """Each look is compared with the one before."""
    progress = Progress(WAITING)
    assert not progress.has_moved(WAITING)
    assert progress.has_moved(MOVED)
    assert not progress.has_moved(MOVED)
    assert progress.has_moved(NOTHING_WAITS)
