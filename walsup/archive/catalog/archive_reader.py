"""The archive as a restore reads it: through its bucket, and through the engine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from walsup.archive.catalog import listing
from walsup.archive.engine.adapter import Engine
from walsup.archive.engine.commands import Commands, Failure, at_fault_itself
from walsup.archive.faults import FaultError, FaultKind
from walsup.archive.storage.bucket import Readable
from walsup.archive.storage.fault_mapping import note
from walsup.archive.storage.retrying import OnFault

_FETCH_TIMEOUT_S = 120.0
_TRIES = 3
# Kinds of engine faults that do not pass when it is tried again.
PERMANENT = (
    FaultKind.ENGINE_BROKEN,
    FaultKind.ENGINE_UNABLE,
    FaultKind.ENGINE_MISSING,
    FaultKind.NO_PRIVATE_KEY,
    FaultKind.UNKNOWN,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """An archive, read through its bucket and through the engine.

    `secrets` are removed from the engine's output. `impatient`: the same bucket without waits.
    `on_fault`: waits for an archive that does not answer; None: there is no wait.
    """

    bucket: Readable
    engine: Engine
    config: Path
    scratch: Path
    secrets: Sequence[str] = field(repr=False)
    lock: tuple[int, ...] = ()
    more: Mapping[str, str] = field(default_factory=dict)
    on_fault: OnFault | None = None
    impatient: Readable | None = None

    @property
    def asked(self) -> Readable:
        """Return the bucket that waits for nothing."""
        return self.impatient or self.bucket

    @property
    def commands(self) -> Commands:
        """Return the engine's commands that read this archive."""
        return Commands(
            engine=self.engine,
            config=self.config,
            secrets=self.secrets,
            inherit=self.lock,
            more=self.more,
        )

    async def fetch(self, name: str) -> Path:
        """Fetch a WAL file, decompressed and decrypted, into the scratch directory.

        Raises:
            FaultError: the engine failed; with its own message.
        """
        failures = 0
        while True:
            try:
                return await self._fetch(name)
            except FaultError as raised:
                if raised.fault.kind == FaultKind.NO_PRIVATE_KEY:
                    raise  # the object may be complete
                failures += 1
                # WAL-RUS says "not found" also without permission: that may change soon.
                lasts = failures > _TRIES and (
                    raised.fault.kind in PERMANENT or await self._has(name)
                )
                if lasts:
                    raise FaultError(at_fault_itself(raised.fault)) from raised
                if self.on_fault is None:
                    raise
                await self.on_fault(raised.fault, failures)

    async def _has(self, name: str) -> bool:
        """Return whether the complete object can be read, so that its content is at fault."""
        try:
            return bool(await listing.content_of(self.asked, name))
        except Exception as raised:  # noqa: BLE001 (then the bucket is at fault)
            note(raised)
            return False

    async def _fetch(self, name: str) -> Path:
        target = self.scratch / name
        target.unlink(missing_ok=True)
        log = self.scratch / f"fetch-{name}.log"
        failure = await self.commands.fetch(name, target, log, timeout_s=_FETCH_TIMEOUT_S)
        try:
            if failure is None and target.exists():
                return target
            failure = failure or Failure.read(0, log, self.secrets)
        finally:
            log.unlink(missing_ok=True)
        target.unlink(missing_ok=True)
        raise FaultError(failure.fault(f"{name} could not be fetched by {self.engine.name}"))
