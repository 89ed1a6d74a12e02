"""When pg_wal is full."""

import pytest

from walsup.agent.disk_forecast import Forecast

GIB = 1 << 30


def _after(*samples: tuple[float, int, int]) -> Forecast:
    forecast = Forecast()
    for sample in samples:
        forecast.sample(*sample)
    return forecast


@pytest.mark.parametrize(
    ("samples", "shut", "expected"),
    [
        ((), True, None),
        (((0, 1, GIB),), True, None),
        # too short to say
        (((0, 1, GIB), (5, 1 + (1 << 20), GIB)), True, None),
        # nothing is written
        (((0, 1, GIB), (100, 1, GIB)), True, None),
        # a MiB a second into recycled segments: nothing is lost yet, and it will be
        (((0, 1, GIB), (100, 1 + (100 << 20), GIB)), True, 1024),
        # the same while the archive takes it: recycled, so nothing leads to a full disk
        (((0, 1, GIB), (100, 1 + (100 << 20), GIB)), False, None),
        # the disk loses more than the WAL takes
        (((0, 1, 2 * GIB), (100, 1 + (100 << 20), GIB)), True, 100),
        (((0, 1, 2 * GIB), (100, 1, GIB)), False, 100),
        # room was made
        (((0, 1, GIB), (100, 1, 2 * GIB)), False, None),
        # the position is not known at one end
        (((0, 0, GIB), (100, 5 << 30, GIB)), True, None),
        # farther than anyone plans
        (((0, 1, 1000 * GIB), (100, 2, 1000 * GIB)), True, None),
        # already full
        (((0, 1, GIB), (100, GIB, 0)), True, 0),
    ],
)
@pytest.mark.rule("disk-full")
def test_full_in(
    samples: tuple[tuple[float, int, int], ...], expected: float | None, *, shut: bool
) -> None:
    """From the oldest sample of ten minutes to the newest."""
    assert _after(*samples).full_in_s(shut=shut) == expected


@pytest.mark.rule("disk-full")
def test_what_was_ten_minutes_ago_does_not_count() -> None:
    """A load that has ended is forgotten."""
    forecast = _after((0, 1, 3 * GIB), (10, GIB, 2 * GIB), (700, GIB, 2 * GIB))
    assert forecast.full_in_s(shut=True) is None
    forecast.sample(1300, GIB, 2 * GIB)
    assert forecast.full_in_s(shut=True) is None
