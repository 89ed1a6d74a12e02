"""Which of several instances of one database take writes, looked at all the time."""

import subprocess
import threading
from types import TracebackType
from typing import Self

from dev.harness.processes.pg import PgToolError
from dev.harness.processes.walsup import Walsup

_PAUSE_S = 0.05
_WRITES = "select not pg_catalog.pg_is_in_recovery()"


def writes(one: Walsup) -> bool:
    """Whether it takes writes now."""
    try:
        return one.psql(_WRITES, timeout_s=5) == "t"
    except (OSError, PgToolError, subprocess.TimeoutExpired):
        return False


class Writers:
    """Looks in a thread whether two take writes at the same time.

    `together` counts the looks at which one did, then the other, then the first one still.
    """

    def __init__(self, one: Walsup, other: Walsup) -> None:
        self._pair = (one, other)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.together = 0
        self.looks = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        one, other = self._pair
        while not self._stop.wait(_PAUSE_S):
            self.looks += 1
            if writes(one) and writes(other) and writes(one):
                self.together += 1
