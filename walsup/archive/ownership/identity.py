"""Whose archive one without owner.json is: that of WAL-G, KubeDB or Spilo (rule ownership)."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from walsup.archive.catalog import base_backups, listing
from walsup.archive.catalog.base_backups import Backup
from walsup.archive.engine.adapter import Engine
from walsup.archive.engine.commands import Commands
from walsup.archive.faults import Fault, FaultError, FaultKind
from walsup.archive.storage.bucket import Bucket
from walsup.postgres.wal import long_page_header, strip_extension

_FETCH_TIMEOUT_S = 60.0
_COMPRESSION = {".lz4": "lz4", ".zst": "zstd"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the archive says about itself; `system_id` None: it has neither backup nor segment."""

    system_id: int | None
    seen_in: str = ""
    compression: str | None = None
    backup: Backup | None = None


async def gather(
    bucket: Bucket, engine: Engine, config: Path, scratch: Path, secrets: tuple[str, ...]
) -> Evidence:
    """Read the newest sentinel's system identifier, or that of the newest segment's first page.

    `secrets` are removed from the engine's output.

    Raises:
        ValueError: the archive has objects, but they do not identify the cluster.
        FaultError: the engine cannot fetch one; with its own message.
    """
    newest = await listing.newest_segment(bucket)
    compression = _COMPRESSION.get(newest[len(strip_extension(newest)) :])
    backups = await base_backups.backups(bucket)
    for backup in reversed(backups):
        if backup.system_id is not None:
            return Evidence(
                system_id=backup.system_id,
                seen_in=backup.name,
                compression=compression,
                backup=backup,
            )
    if not newest and backups:
        raise FaultError(
            Fault(
                kind=FaultKind.NOT_THE_OWNER,
                problem=f"{backups[-1].name} in the archive does not identify its cluster (WAL-G"
                " before 1.0 wrote no system identifier), and there is no segment that does",
            )
        )
    if not newest:
        return Evidence(system_id=None)
    name = strip_extension(newest).rpartition("/")[2]
    return Evidence(
        system_id=await _system_id(engine, config, name, scratch / "evidence", secrets),
        seen_in=name,
        compression=compression,
    )


async def _system_id(
    engine: Engine, config: Path, name: str, target: Path, secrets: tuple[str, ...]
) -> int:
    """Let the engine fetch the segment: it alone can decompress and decrypt it."""
    commands = Commands(engine=engine, config=config, secrets=secrets)
    log = target.with_suffix(".log")
    failure = await commands.fetch(name, target, log, timeout_s=_FETCH_TIMEOUT_S)
    if failure is not None:
        raise FaultError(failure.fault(f"{name} could not be fetched to identify its cluster"))
    return await asyncio.to_thread(_read, target)


def _read(target: Path) -> int:
    try:
        with target.open("rb") as file:
            return long_page_header(file.read(8192)).system_id
    finally:
        target.unlink(missing_ok=True)
