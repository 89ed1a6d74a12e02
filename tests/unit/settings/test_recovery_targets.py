"""The words of a recovery target."""

import pytest

from walsup.settings import recovery_targets


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-01-02 03:04:05+01", "2026-01-02 02:04:05.000000+00:00"),
        ("2026-01-02T03:04:05Z", "2026-01-02 03:04:05.000000+00:00"),
        ("2026-01-02 03:04:05.678901 UTC", "2026-01-02 03:04:05.678901+00:00"),
        ("2026-07-02 03:04:05 Europe/Berlin", "2026-07-02 01:04:05.000000+00:00"),
        ("2026-01-02 03:04:05.678901+00", "2026-01-02 03:04:05.678901+00:00"),
    ],
)
def test_a_moment_is_given_in_utc(text: str, utc: str) -> None:
    """Whatever zone it was said in; a text that is given back is read as the same."""
    assert recovery_targets.moment(text) == utc
    assert recovery_targets.moment(utc) == utc


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("2026-01-02 03:04:05", "has no time zone"),
        ("2999-01-01 00:00:00Z", "is in the future"),
        ("yesterday", "is not a time such as"),
        ("2026-01-02 03:04:05 Mars/Olympus", "is not a time such as"),
    ],
)
def test_a_moment_must_be_one_everywhere_and_past(text: str, says: str) -> None:
    """Without a zone it means another moment on another machine."""
    with pytest.raises(ValueError, match=says):
        recovery_targets.moment(text)


@pytest.mark.parametrize(
    ("text", "was", "readings"),
    [
        (
            "2025-10-26 02:30:00 Europe/Berlin",
            "happened twice",
            ("2025-10-26 02:30:00+02:00", "2025-10-26 02:30:00+01:00"),
        ),
        (
            "2025-03-30 02:30:00 Europe/Berlin",
            "never happened",
            ("2025-03-30 02:30:00+01:00", "2025-03-30 02:30:00+02:00"),
        ),
        (
            "2025-11-02T01:00:00.5 America/New_York",
            "happened twice",
            ("2025-11-02 01:00:00.500000-04:00", "2025-11-02 01:00:00.500000-05:00"),
        ),
        (
            "2011-12-30 12:00:00 Pacific/Apia",
            "never happened",
            ("2011-12-30 12:00:00-10:00", "2011-12-30 12:00:00+14:00"),
        ),
    ],
)
def test_a_moment_that_clocks_showed_twice_or_never(
    text: str, was: str, readings: tuple[str, str]
) -> None:
    """Both readings are named, and each of them can be asked for."""
    with pytest.raises(ValueError, match=was) as refused:
        recovery_targets.moment(text)
    assert [words for words in readings if words not in str(refused.value)] == []
    assert len({recovery_targets.moment(words) for words in readings}) == 2


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2025-10-26 01:59:59 Europe/Berlin", "2025-10-25 23:59:59.000000+00:00"),
        ("2025-10-26 03:00:00 Europe/Berlin", "2025-10-26 02:00:00.000000+00:00"),
        ("2025-03-30 03:00:00 Europe/Berlin", "2025-03-30 01:00:00.000000+00:00"),
    ],
)
def test_moments_beside_a_change_of_the_clocks(text: str, utc: str) -> None:
    """They happened once."""
    assert recovery_targets.moment(text) == utc


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (recovery_targets.lsn, "16B3740"),
        (recovery_targets.xid, "2"),
        (recovery_targets.xid, "-5"),
        (recovery_targets.timeline, "newest"),
        (recovery_targets.timeline, "0"),
        (recovery_targets.segment, "00000001000000000000000g"),
        (recovery_targets.backup, "../base"),
        (recovery_targets.name, "x" * 64),
    ],
)
def test_nonsense_is_refused(read: object, text: str) -> None:
    """With the text."""
    with pytest.raises(ValueError, match=text.replace(".", r"\.")):
        read(text)  # type: ignore[operator]


def test_latest_names_no_backup() -> None:
    """KubeDB's default."""
    assert recovery_targets.backup("LATEST") == ""
