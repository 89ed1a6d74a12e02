"""The deadline of a primary that cannot renew, kept in the run directory, where PID 1 reads it."""

import json
import math
import os
from pathlib import Path

from walsup import log
from walsup.archive.ownership import write_deadline
from walsup.archive.ownership.write_deadline import MEMORY, WriteDeadline
from walsup.settings import Settings

_BLOCK_BYTES = 4096


def wanted(settings: Settings, run_dir: Path, boot: str) -> "StoredDeadline | None":
    """Return the deadline that the settings ask for, None when no deadline ends the database."""
    if settings.archive is None or settings.fence == "off":
        return None
    if settings.fence == "auto" and settings.role == "primary":
        return None
    return StoredDeadline(
        WriteDeadline(settings.lease_s, alone=settings.fence == "on"),
        run_dir,
        settings.lease_s,
        boot,
    )


class StoredDeadline:
    """A deadline that is in a file, and which a restarted agent continues.

    No error of the run directory is raised: the lease is renewed on a full one too.
    """

    def __init__(self, made: WriteDeadline, run_dir: Path, lease_s: float, boot: str) -> None:
        self.deadline = made
        self.streaming: frozenset[str] = frozenset()
        self._run_dir = run_dir
        self._lease_s = lease_s
        self._boot = boot
        self._written_s = math.inf
        self._remembered = ""
        self._known: frozenset[str] = frozenset()
        self._failed = ""
        self._take_up()
        self._remember(self.deadline.heirs)

    def renews(self) -> tuple[str, ...]:
        """Return the standbys to list in a renewal that is about to be sent.

        The next agent must know what the object may list, and PID 1 must be able to read a
        deadline: a standby that cannot be recorded, because the disk is full, is not listed.
        """
        noted = self._remember(self.deadline.heirs | self.streaming)
        return self.deadline.renews(self.streaming if noted else self.streaming & self._known)

    def renewed(self, began_s: float, listed: tuple[str, ...]) -> None:
        """Record a renewal that the bucket has confirmed."""
        self.deadline.renewed(began_s, frozenset(listed))
        self._remember(self.deadline.heirs)
        self.write()

    def write(self) -> None:
        """Write the deadline where PID 1 reads it; when that fails the earlier one stays."""
        until_s = self.deadline.until_s
        if until_s == self._written_s:
            return
        try:
            write_deadline.put(self._run_dir, until_s, self._lease_s)
        except OSError as fault:
            self._warn(fault)
            return
        if math.inf in (until_s, self._written_s):
            log.info("fence.armed" if until_s < math.inf else "fence.taken_away")
        self._written_s = until_s

    def _remember(self, heirs: frozenset[str]) -> bool:
        """Write what the next agent has to know; False: the disk is full."""
        state = self.deadline.state() | {"heirs": sorted(heirs)}
        text = json.dumps({"boot": self._boot, "state": state})
        if text == self._remembered:
            return True
        try:
            write_deadline.reserve(self._run_dir, self._lease_s)
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
            stored = json.loads((self._run_dir / MEMORY).read_text(encoding="utf-8").strip("\0 "))
            if stored["boot"] == self._boot:
                self.deadline.resume(stored["state"], write_deadline.read(self._run_dir))
                self._known = self.deadline.heirs
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
