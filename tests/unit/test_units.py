"""Durations, sizes and booleans."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walsup.units import abbreviate, boolean, duration, show_bytes, show_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("25s", 25),
        ("1min", 60),
        ("1m", 60),
        ("500ms", 0.5),
        ("250us", 0.00025),
        ("2h", 7200),
        ("1d", 86400),
        ("25", 25),
        (" 1.5 h ", 5400),
        ("1h30m", 5400),
        ("1d 3h", 97200),
        ("0", 0),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    """Durations are read as PostgreSQL and Kubernetes write them."""
    assert math.isclose(duration(text), seconds)


@pytest.mark.parametrize(
    "text", ["", " ", "s", "-5s", "5 5s", "1h30", "5x", "5S", "1e3", "1_0", "٣s", "nan", "inf", "."]
)
def test_no_durations(text: str) -> None:
    """What is no duration is refused with the text and the known units."""
    with pytest.raises(ValueError, match="is not a duration: expected a number and us, ms, s"):
        duration(text)


@pytest.mark.parametrize("text", ["on", "TRUE", "yes", "1", " t "])
def test_true(text: str) -> None:
    """PostgreSQL's words for true are read in any case."""
    assert boolean(text) is True


@pytest.mark.parametrize("text", ["off", "False", "no", "0", "n"])
def test_false(text: str) -> None:
    """PostgreSQL's words for false are read in any case."""
    assert boolean(text) is False


@pytest.mark.parametrize("text", ["", "2", "maybe", "o"])
def test_no_booleans(text: str) -> None:
    """A variable that is set but empty is a mistake, not a false."""
    with pytest.raises(ValueError, match="is not a boolean: expected on or off"):
        boolean(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.00025, "250us"),
        (0.5, "500ms"),
        (0.9999, "1s"),
        (2.5, "2.5s"),
        (25, "25s"),
        (59.9999, "1min"),
        (90, "1min 30s"),
        (7205, "2h"),
        (97200, "1d 3h"),
        (-25, "-25s"),
        (math.inf, "inf"),
    ],
)
def test_shown_durations(seconds: float, text: str) -> None:
    """A duration is shown in its two largest units."""
    assert show_duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0B"),
        (1023, "1023B"),
        (8192, "8kB"),
        (16 << 20, "16MB"),
        (3 << 29, "1.5GB"),
        ((1 << 20) - 1, "1MB"),
        (5000 << 40, "5000TB"),
        (-8192, "-8kB"),
    ],
)
def test_shown_bytes(count: int, text: str) -> None:
    """A size is shown in the largest unit that keeps it below 1024."""
    assert show_bytes(count) == text


@given(st.floats(0, 1e9) | st.floats(0, 1))
def test_shown_durations_can_be_read(seconds: float) -> None:
    """What walsup shows can be set, to the precision shown."""
    half_a_digit = 0.6e-6 if seconds < 0.9e-3 else 0.6e-3
    assert duration(show_duration(seconds)) == pytest.approx(seconds, rel=0.05, abs=half_a_digit)


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, ""),
        (1, "n0"),
        (3, "n0, n1, n2"),
        (4, "n0, n1, n2, and 1 more"),
        (100, "n0, n1, n2, and 97 more"),
    ],
)
def test_a_long_list_is_abbreviated_and_counted(count: int, shown: str) -> None:
    """What fits is shown whole; a text of many words has another separator."""
    names = [f"n{n}" for n in range(count)]
    assert abbreviate(names, 3) == shown
    assert abbreviate(names, 3, "; ") == shown.replace(",", ";")
