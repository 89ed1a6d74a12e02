"""The source of a restore as the agent uses it: its bucket, engine and credentials."""

import asyncio
import time
from pathlib import Path
from typing import Protocol

from walsup import log, settings
from walsup.agent.context import AgentContext
from walsup.archive.catalog import listing
from walsup.archive.engine import adapter as engines
from walsup.archive.engine import daemon_client, run_once
from walsup.archive.engine.adapter import Engine
from walsup.archive.engine.commands import Commands, Failure, at_fault_itself
from walsup.archive.engine.reader_config import bounded, render_reader, trust
from walsup.archive.engine.restore_command import READER_CONFIG, READER_SOCKET
from walsup.archive.faults import Fault, FaultError, FaultKind
from walsup.archive.storage.bucket import Bucket, open_bucket
from walsup.archive.storage.fault_mapping import classify as classify_raised
from walsup.errors import SettingsError
from walsup.postgres.wal import Kind, classify
from walsup.system.private_files import write_private

_FETCH_TIMEOUT_S = 300.0
_REREAD_EVERY_S = 5.0
_CHECK_TIMEOUT_S = 3.0
_LONGEST_LOOK_BYTES = 64 << 20


class RestoreOrigin(Protocol):
    """What `Source` needs to know about the archive of a restore or a standby."""

    @property
    def own(self) -> bool:
        """Whether it is this database's own archive."""

    @property
    def segment_size(self) -> int:
        """The size of its segments in bytes."""

    @property
    def region(self) -> str | None:
        """Where its bucket is."""


class Source:
    """Where a restore, or a standby, reads from."""

    def __init__(self, context: AgentContext, found: RestoreOrigin) -> None:
        self._context = context
        self._found = found
        self._reread_s = 0.0
        self._generation = 1
        # A fault in the settings at the agent's start may have been corrected since.
        faulty = context.settings.source_faults
        self.settings = self._settings(context.reload_settings() if faulty else context.settings)
        self._bucket = open_bucket(self.settings)

    def _settings(self, current: settings.Settings) -> settings.Settings:
        return settings.origin(current, own=self._found.own)

    @property
    def bucket(self) -> Bucket:
        """The source's bucket, with the latest valid credentials."""
        return self._bucket

    async def look_after_reader(self) -> None:
        """Have a hung reader restarted; each file would take it a minute."""
        socket = self._context.run_dir / READER_SOCKET
        if self._engine().has_daemon and not await daemon_client.answers(socket, _CHECK_TIMEOUT_S):
            log.warning("reader.replaced", reason=f"no answer within {_CHECK_TIMEOUT_S:g} s")
            self.launch()

    async def fetch(self, name: str, path: Path, segment_bytes: int) -> None:
        """Fetch an archived file to its path, without the daemon.

        Raises:
            FaultError: it could not be fetched, or has the wrong size.
        """
        context, engine = self._context, self._engine()
        fresh = path.with_name(f"{path.name}.walsup")
        output = context.run_dir / "wal-fetch.log"
        fresh.unlink(missing_ok=True)
        commands = Commands(
            engine=engine,
            config=context.run_dir / READER_CONFIG,
            secrets=context.secrets(),
            more=trust(self.settings),
        )
        failure = await commands.fetch(name, fresh, output, timeout_s=_FETCH_TIMEOUT_S)
        size = fresh.stat().st_size if fresh.exists() else 0
        if failure is None and (classify(name) is not Kind.SEGMENT or size == segment_bytes):
            await asyncio.to_thread(fresh.replace, path)
            log.info("segment.fetched", name=name)
            return
        fresh.unlink(missing_ok=True)
        fault = (failure or Failure.read(0, output, context.secrets())).told
        if await self._look(name, segment_bytes) and fault.kind != FaultKind.DISK_FULL:
            # The object can be read completely: its content is at fault, not the network.
            fault = at_fault_itself(fault)
        outcome = f"gave {size} bytes"
        if failure is not None:
            outcome = f"ended with {failure.code}: {fault.problem}"
        raise FaultError(
            fault._replace(
                problem=f"{name} is in the archive, but {engine.name} wal-fetch {outcome}"
            )
        )

    async def _look(self, name: str, segment_bytes: int) -> bool:
        """Return whether the whole object can be read; that of a large segment is not tried.

        Raises:
            FaultError: what the bucket answers.
        """
        if segment_bytes > _LONGEST_LOOK_BYTES:
            return False
        try:
            return await listing.content_of(self._bucket, name) is not None
        except Exception as raised:
            raise FaultError(classify_raised(raised)) from raised

    def _engine(self) -> Engine:
        found = engines.choose(self.settings, self._context.path)
        if isinstance(found, Fault):
            raise FaultError(found)
        return bounded(found, self.settings)

    async def heed(self, fault: Fault) -> None:
        """When credentials are rejected: read the secret files again, and use changed ones."""
        now_s = time.monotonic()
        if (
            fault.kind not in (FaultKind.AUTH, FaultKind.NO_RIGHTS)
            or now_s - self._reread_s < _REREAD_EVERY_S
        ):
            return
        self._reread_s = now_s
        try:
            renewed = self._settings(await asyncio.to_thread(self._context.reload_settings))
        except SettingsError as wrong:
            log.warning(
                "settings.wrong", problem=wrong.problem, hint="walsup keeps the old credentials"
            )
            return
        if renewed == self.settings:
            return
        self.settings, self._bucket = renewed, open_bucket(renewed)
        log.info("settings.reloaded", changed=True, of="the restore's source")
        self.launch()

    def launch(self) -> None:
        """Have the reader restarted."""
        context, engine = self._context, self._engine()
        config = context.run_dir / READER_CONFIG
        region = self._found.region or self.settings.region
        text = render_reader(
            self.settings, context.run_dir, self._found.segment_size, region, engine
        )
        write_private(config, text)
        if engine.has_daemon:
            self._generation += 1
            context.pid1.want_reader(
                self._generation,
                engine.daemon_argv(config, context.run_dir / READER_SOCKET),
                run_once.environment()
                | {"PGDATA": str(context.settings.pgdata)}
                | trust(self.settings),
            )
