"""The last lines of a child's output, as an error shows them."""

from collections.abc import Sequence
from pathlib import Path

_SHOWN_LINES = 20


def last_lines(path: Path, secrets: Sequence[str] = ()) -> str:
    """Give the last 20 lines of a child's output, with secrets cut (S26)."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return "\n".join(f"  {line}" for line in text.splitlines()[-_SHOWN_LINES:])
