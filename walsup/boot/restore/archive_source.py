"""The source of a restore in prepare: read through its bucket, and through an engine."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

from walsup.archive.catalog.archive_reader import Reader
from walsup.archive.engine import adapter as engines
from walsup.archive.engine import decryption
from walsup.archive.engine.adapter import Engine
from walsup.archive.engine.reader_config import DEFAULT_SEGMENT_BYTES, bounded, render_reader, trust
from walsup.archive.engine.restore_command import READER_CONFIG
from walsup.archive.faults import Fault
from walsup.archive.storage.bucket import Bucket, ListingPage, Object, PagedListing, open_bucket
from walsup.archive.storage.retrying import OnFault, Patient
from walsup.boot.current_settings import Current
from walsup.errors import EngineError
from walsup.settings import Settings, origin
from walsup.system.private_files import write_private


def engine_of(source: Settings) -> Engine:
    """Return the engine that reads the source.

    Raises:
        EngineError: there is none, or it cannot read this source.
    """
    found = engines.choose(source, os.environ.get("PATH", ""))
    if isinstance(found, Fault):
        raise EngineError(f"nothing can be restored: {found.problem}", hint=found.cure)
    return bounded(found, source)


def check_key(source: Settings) -> None:
    """Refuse an archive that these settings cannot decrypt, before anything is fetched.

    Raises:
        EngineError: only the public key is here.
    """
    if fault := decryption.refusal(source):
        raise EngineError(f"nothing can be restored: {fault.problem}", hint=fault.cure)


class SourceBucket(PagedListing):
    """The bucket of the source, opened again after each check of the secrets (a `Readable`).

    The keys, and the content of the file of CA certificates, change with the secrets.
    """

    def __init__(self, current: Current, *, own: bool) -> None:
        self._current = current
        self._own = own
        self._looks = current.looks
        self._bucket = open_bucket(origin(current.known, own=own))

    @property
    def region(self) -> str | None:
        """Return where it is; the result of an earlier look-up is kept."""
        return self._bucket.region

    async def get(self, key: str) -> Object:
        """Read a small object whole."""
        return await self._newest().get(key)

    async def piece(self, key: str, begin: int, size_bytes: int) -> bytes:
        """Read a part of an object; one that begins at or after its end is empty."""
        return await self._newest().piece(key, begin, size_bytes)

    def pages(self, under: str, after: str = "") -> AsyncIterator[ListingPage]:
        """Yield a folder's listing, continued after a key, one request a page."""
        return self._newest().pages(under, after)

    def _newest(self) -> Bucket:
        if self._looks != self._current.looks:
            self._looks = self._current.looks
            source = origin(self._current.known, own=self._own)
            self._bucket = open_bucket(source._replace(region=source.region or self.region))
        return self._bucket


def configure(
    current: Current, run_dir: Path, *, own: bool, segment_bytes: int, region: str | None
) -> None:
    """Render the engine's configuration for the source, now and whenever its keys change."""

    def write() -> None:
        source = origin(current.known, own=own)
        text = render_reader(source, run_dir, segment_bytes, region, engine_of(source))
        write_private(run_dir / READER_CONFIG, text)

    current.follow(write)


def reader(
    current: Current, run_dir: Path, lock: int, *, own: bool, on_fault: OnFault | None = None
) -> Reader:
    """Return the source of a restore, with the engine's configuration for it rendered."""
    source = origin(current.known, own=own)
    bucket = SourceBucket(current, own=own)
    configure(current, run_dir, own=own, segment_bytes=DEFAULT_SEGMENT_BYTES, region=source.region)
    return Reader(
        bucket=Patient(bucket, on_fault) if on_fault else bucket,
        impatient=bucket,
        engine=engine_of(source),
        config=run_dir / READER_CONFIG,
        scratch=run_dir,
        secrets=current.secrets,
        lock=(lock,) if lock >= 0 else (),
        more=trust(source),
        on_fault=on_fault,
    )
