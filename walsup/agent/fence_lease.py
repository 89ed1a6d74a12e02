"""The deadline of a primary that cannot renew, kept in the run directory, where PID 1 reads it."""

import json
import math
import os
from pathlib import Path

from walsup import log
from walsup.archive.ownership import fence
from walsup.archive.ownership.fence import MEMORY, Fence
from walsup.settings import Settings

_BLOCK_BYTES = 4096


def wanted(known: Settings, run_dir: Path, boot: str) -> "Fencing | None":
    """Return the fencing that the settings ask for, None when no deadline ends the database."""
    if known.archive is None or known.fence == "off":
        return None
    if known.fence == "auto" and known.role == "primary":
        return None
    return Fencing(Fence(known.lease_s, alone=known.fence == "on"), run_dir, known.lease_s, boot)


class Fencing:
    """A fence whose deadline is in a file, and which a restarted agent continues.

    No error of the run directory is raised: the lease is renewed on a full one too.
    """

    def __init__(self, made: Fence, run_dir: Path, lease_s: float, boot: str) -> None:
        self.fence = made
        self.streaming: frozenset[str] = frozenset()
        self._run_dir = run_dir
        self._lease_s = lease_s
        self._boot = boot
        self._written_s = math.inf
        self._remembered = ""
        self._known: frozenset[str] = frozenset()
        self._failed = ""
        self._take_up()
        self._remember(self.fence.heirs)

    def renews(self) -> tuple[str, ...]:
        """Return the standbys to list in a renewal that is about to be sent.

        The next agent must know what the object may list, and PID 1 must be able to read a
        deadline: a standby that cannot be recorded, because the disk is full, is not listed.
        """
        noted = self._remember(self.fence.heirs | self.streaming)
        return self.fence.renews(self.streaming if noted else self.streaming & self._known)

    def renewed(self, began_s: float, listed: tuple[str, ...]) -> None:
        """Record a renewal that the bucket has confirmed."""
        self.fence.renewed(began_s, frozenset(listed))
        self._remember(self.fence.heirs)
        self.write()

    def write(self) -> None:
        """Write the deadline where PID 1 reads it; when that fails the earlier one stays."""
        until_s = self.fence.until_s
        if until_s == self._written_s:
            return
        try:
            fence.put(self._run_dir, until_s, self._lease_s)
        except OSError as fault:
            self._warn(fault)
            return
        if math.inf in (until_s, self._written_s):
            log.info("fence.armed" if until_s < math.inf else "fence.taken_away")
        self._written_s = until_s

    def _remember(self, heirs: frozenset[str]) -> bool:
        """Write what the next agent has to know; False: the disk is full."""
        state = self.fence.state() | {"heirs": sorted(heirs)}
        text = json.dumps({"boot": self._boot, "state": state})
        if text == self._remembered:
            return True
        try:
            fence.reserve(self._run_dir, self._lease_s)
            _overwrite(self._run_dir / MEMORY, text)
        except OSError as fault:
            self._warn(fault)
            return False
        self._remembered, self._known, self._failed = text, heirs, ""
        return True

    def _warn(self, fault: OSError) -> None:
        if self._failed != str(fault):
            self._failed = str(fault)
            log.warning("fence.not_written", problem=self._failed, directory=str(self._run_dir))

    def _take_up(self) -> None:
        try:
            found = json.loads((self._run_dir / MEMORY).read_text(encoding="utf-8").strip("\0 "))
            if found["boot"] == self._boot:
                self.fence.resume(found["state"], fence.read(self._run_dir))
                self._known = self.fence.heirs
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            return


def _overwrite(path: Path, text: str) -> None:
    """Write in place, in whole blocks that are allocated first: a full disk loses nothing.

    Raises:
        OSError: there is no room; the previous content is unchanged.
    """
    content = text.encode()
    content = content.ljust(-(-len(content) // _BLOCK_BYTES) * _BLOCK_BYTES)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, len(content))
        os.pwrite(descriptor, content, 0)
        os.ftruncate(descriptor, len(content))
    finally:
        os.close(descriptor)
