"""Whether a program ended because a volume was full, and which directory a path will be made in."""

from pathlib import Path

# Source: strerror of ENOSPC and EDQUOT in the C locale.
_FULL = ("No space left on device", "Disk quota exceeded")


def says_full(text: str) -> bool:
    """Return whether a program's last words say that there was no room."""
    return any(words in text for words in _FULL)


def existing(place: Path) -> Path:
    """Give a directory, or the nearest one above it that is there."""
    while not place.exists():
        place = place.parent
    return place
