"""Whether a program ended because a volume was full, and which directory a path will be made in."""

from pathlib import Path

# Source: strerror of ENOSPC and EDQUOT in the C locale.
_FULL = ("No space left on device", "Disk quota exceeded")


def says_full(text: str) -> bool:
    """Return whether the last lines of a program say that the volume was full."""
    return any(words in text for words in _FULL)


def existing(place: Path) -> Path:
    """Return a directory, or its nearest ancestor that exists."""
    while not place.exists():
        place = place.parent
    return place
