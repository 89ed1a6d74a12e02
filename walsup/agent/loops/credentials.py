"""Follows the secret files: changed credentials are tried, then used.

Files are read, not watched: Kubernetes swaps a symlink, and one of two files may be older than
the other for a moment.
"""

import asyncio
import time

from walsup import log
from walsup.agent.context import AgentContext
from walsup.agent.events import any_set
from walsup.agent.startup_retry import fault_of
from walsup.agent.states import BackupState
from walsup.agent.subject import Subject
from walsup.archive.faults import Fault, FaultKind
from walsup.archive.paths import OWNER_KEY
from walsup.archive.storage.bucket import Bucket, open_bucket
from walsup.archive.storage.fault_mapping import classify, is_absent
from walsup.errors import SettingsError
from walsup.settings import Settings

_EVERY_S = 5.0
_SETTLE_S = 0.5
_UNREADABLE_AFTER_S = 15.0
_KEPT = "walsup keeps the old credentials"
_REFUSED = (FaultKind.AUTH, FaultKind.NO_RIGHTS, FaultKind.TLS)


async def secrets(context: AgentContext) -> None:
    """Read the files every 5 s, and at once when asked to."""
    if context.session.bucket is None:
        await context.signals.stopping.wait()
        return
    watcher = _SecretFiles(context)
    while not context.signals.stopping.is_set():
        asked = await any_set(context.signals.asked_to_reread, timeout_s=_EVERY_S)
        context.signals.asked_to_reread.clear()
        await watcher.look(asked=asked)


class _SecretFiles:
    def __init__(self, context: AgentContext) -> None:
        self._context = context
        self._unreadable_since_s: float | None = None
        self._said_unreadable = False
        self._old: Bucket | None = None  # whose credentials a running backup still uses
        self._trusted = _certificates(context.settings)

    async def look(self, *, asked: bool) -> None:
        """Read once; use changed credentials unless only the current ones work."""
        context = self._context
        renewed = self._read(asked=asked)
        trusted = _certificates(context.settings) or self._trusted
        if renewed is not None and (renewed != context.settings or trusted != self._trusted):
            await asyncio.sleep(_SETTLE_S)
            again = _certificates(context.settings) or self._trusted
            if renewed != self._read(asked=False) or trusted != again:
                context.signals.asked_to_reread.set()  # in the middle of a swap
                return
            if fault := await self._is_worse(renewed):
                context.board.fault(Subject.SECRETS, fault)
                return
            self._adopt(renewed)
            self._trusted = trusted
        elif renewed is not None and asked:
            log.info("settings.reloaded", changed=False)
        if renewed is not None:
            context.board.clear(Subject.SECRETS)
        await self._look_after_backup()

    def _read(self, *, asked: bool) -> Settings | None:
        """Return the settings of the files; None when they are unreadable: the old ones are kept.

        A file that is missing for a moment is not reported; one that stays missing is, once.
        """
        now_s = time.monotonic()
        try:
            renewed = self._context.read_credentials()
        except SettingsError as fault:
            since_s = self._unreadable_since_s = self._unreadable_since_s or now_s
            lasts = now_s - since_s > _UNREADABLE_AFTER_S
            if asked or (lasts and not self._said_unreadable):
                self._said_unreadable = True
                log.error("settings.wrong", problem=fault.problem, hint=_KEPT)
                self._context.board.fault(Subject.SECRETS, fault_of(fault))
            return None
        self._unreadable_since_s, self._said_unreadable = None, False
        return renewed

    async def _is_worse(self, renewed: Settings) -> Fault | None:
        """Return why new credentials are not used: the bucket rejects them alone."""
        problem = await _refusal(open_bucket(renewed))
        current = self._context.session.bucket
        if problem is None or current is None or await _refusal(current) is not None:
            return None
        return Fault(
            kind=FaultKind.AUTH,
            problem=f"the bucket rejects the new credentials, walsup keeps the old ones: {problem}",
            remedy="correct the secret files; walsup reads them again every 5 s",
        )

    def _adopt(self, renewed: Settings) -> None:
        context = self._context
        self._old = context.session.bucket
        context.adopt(renewed)
        log.info("settings.reloaded", changed=True)
        context.signals.reopen.set()
        context.signals.rotated.set()

    async def _look_after_backup(self) -> None:
        """Cancel a backup that began with credentials which the bucket now rejects."""
        if self._old is None:
            return
        if (
            self._context.board.snapshot.backup.state != BackupState.RUNNING
            or self._context.session.backup_borrows
        ):
            self._old = None
        elif await _refusal(self._old) is not None:
            log.warning("backup.refused", problem="its credentials are no longer valid")
            self._old = None
            self._context.signals.backup_refused.set()


def _certificates(settings: Settings) -> bytes:
    """Return the content of the CA certificate file, nothing while it cannot be read."""
    try:
        return settings.ca_file.read_bytes() if settings.ca_file else b""
    except OSError:
        return b""


async def _refusal(bucket: Bucket) -> str | None:
    """Return how the bucket rejects these credentials, None when it does not."""
    try:
        await bucket.get(OWNER_KEY)
    except Exception as raised:  # noqa: BLE001 (whatever else it is, the loops name it)
        fault = classify(raised)
        return fault.problem if not is_absent(raised) and fault.kind in _REFUSED else None
    return None
