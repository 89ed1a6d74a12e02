"""The lag as `/status` tells it, sampled all the time; silence while the agent is away."""

import threading
from typing import NamedTuple, Self

from dev.harness import Walsup

_EVERY_S = 0.1


class Peak(NamedTuple):
    """The highest values of a span of time; each on its own."""

    segments: int
    bytes: int

    def __str__(self) -> str:
        """The peak for a reader."""
        return f"{self.bytes / 1e6:.1f} MB ({self.segments} finished segments)"


class LagWatch:
    """Looks in a thread of its own while it is used as a context manager."""

    def __init__(self, walsup: Walsup) -> None:
        self._walsup = walsup
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.peak = Peak(0, 0)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(_EVERY_S):
            code, status = self._walsup.http("/status", timeout_s=1.0)
            lag = status["lag"] if code else {}
            if lag.get("known"):
                self.peak = Peak(
                    max(self.peak.segments, lag["segments"]),
                    max(self.peak.bytes, lag["bytes"] or 0),
                )
