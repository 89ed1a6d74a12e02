"""The deadline of a primary that cannot renew, kept in the run directory, where PID 1 reads it."""

import json
import math
from pathlib import Path

from walsup import log
from walsup.archive import fence
from walsup.archive.fence import MEMORY, Fence
from walsup.settings import Settings


def wanted(known: Settings, run_dir: Path, boot: str) -> "Fencing | None":
    """Return the fencing that the settings ask for, None when silence ends no database."""
    if known.archive is None or known.fence == "off":
        return None
    if known.fence == "auto" and known.role == "primary":
        return None
    return Fencing(Fence(known.lease_s, alone=known.fence == "on"), run_dir, known.lease_s, boot)


class Fencing:
    """A fence whose deadline is in a file, and which an agent that is started again takes up."""

    def __init__(self, made: Fence, run_dir: Path, lease_s: float, boot: str) -> None:
        self.fence = made
        self.streaming: frozenset[str] = frozenset()
        self._run_dir = run_dir
        self._lease_s = lease_s
        self._boot = boot
        self._written_s = math.inf
        self._remembered = ""
        self._take_up()

    def renews(self) -> tuple[str, ...]:
        """Return the standbys to list in a renewal that is about to be sent."""
        names = self.fence.renews(self.streaming)
        # What the object may list by now has to be known to the next agent too.
        self._remember()
        return names

    def renewed(self, began_s: float, listed: tuple[str, ...]) -> None:
        """Take note of a renewal whose success was answered."""
        self.fence.renewed(began_s, frozenset(listed))
        self._remember()
        self.write()

    def write(self) -> None:
        """Put the deadline where PID 1 reads it."""
        until_s = self.fence.until_s
        if until_s == self._written_s:
            return
        fence.put(self._run_dir, until_s, self._lease_s)
        if math.inf in (until_s, self._written_s):
            log.info("fence.armed" if until_s < math.inf else "fence.taken_away")
        self._written_s = until_s

    def _remember(self) -> None:
        text = json.dumps({"boot": self._boot, "state": self.fence.state()})
        if text == self._remembered:
            return
        path = self._run_dir / MEMORY
        fresh = path.with_name(MEMORY + ".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
        self._remembered = text

    def _take_up(self) -> None:
        try:
            found = json.loads((self._run_dir / MEMORY).read_text(encoding="utf-8"))
            if found["boot"] == self._boot:
                self.fence.resume(found["state"], fence.read(self._run_dir))
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            return
