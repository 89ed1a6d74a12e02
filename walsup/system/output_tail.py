"""The last lines of a child's output: to be shown without secrets, or to be classified."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from walsup.redaction import redact

_SHOWN_LINES = 20
_READ_BYTES = 1 << 16
_STACK = re.compile(r"goroutine \d+ ")


def last_lines(path: Path, secrets: Iterable[str]) -> str:
    """Return the last 20 lines of a child's output, without secrets (rule logs)."""
    # All that was read: a secret may reach over the end of a line.
    lines = _without_dump(redact(_end_of(path), secrets).splitlines())
    return "\n".join(f"  {line}" for line in lines[-_SHOWN_LINES:])


def raw_lines(path: Path) -> str:
    """Return the same lines as they are, for `classify_output`, which shows one of them redacted.

    A secret that is an ordinary word would otherwise hide what the output says.
    """
    return "\n".join(_without_dump(_end_of(path).splitlines())[-_SHOWN_LINES:])


def _without_dump(lines: list[str]) -> list[str]:
    """Return the lines before the stacks that Go's runtime shows after a crash."""
    dump = next((at for at, line in enumerate(lines) if _STACK.match(line)), len(lines))
    return lines[:dump] or lines


def _end_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(-min(_READ_BYTES, os.fstat(file.fileno()).st_size), os.SEEK_END)
            return file.read().decode(errors="replace")
    except OSError:
        return ""
