"""What the demo says: one line a thing, with the seconds since it began."""

import io
import sys
import time


class Narrator:
    """Prints short lines at once, also into a pipe or a terminal without UTF-8."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8", line_buffering=True)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the demo began."""
        return time.monotonic() - self._began_s

    def title(self, text: str) -> None:
        """Print the headline."""
        print(f"{text}\n", flush=True)

    def does(self, text: str) -> None:
        """Say what is about to be done."""
        self._line(" ", text)

    def saw(self, text: str) -> None:
        """Say what was seen."""
        self._line("✔", text)

    def missed(self, text: str) -> None:
        """Say what was not seen."""
        self._line("✘", text)

    def plain(self, text: str = "") -> None:
        """Print lines that are meant to be copied, or a log."""
        print(text, flush=True)

    def _line(self, mark: str, text: str) -> None:
        print(f"{self.elapsed_s:5.1f} s {mark} {text}", flush=True)
