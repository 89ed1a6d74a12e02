"""Checks whether a directory archive is on the same device as the database that it protects."""

import asyncio

from walsup import log
from walsup.agent.context import AgentContext
from walsup.agent.repeated_errors import REPEATS
from walsup.agent.subject import Subject
from walsup.archive.faults import Fault, FaultKind
from walsup.archive.storage.directory_bucket import FileBucket
from walsup.archive.storage.fault_mapping import classify
from walsup.settings import FileArchive
from walsup.system import devices

_EVERY_S = 10.0
_UNKNOWN_EVERY_S = 1.0


async def device(context: AgentContext) -> None:
    """Compare the file systems repeatedly: a volume may be unmounted or moved."""
    if not isinstance(context.settings.archive, FileArchive):
        await context.signals.stopping.wait()
        return
    while not context.signals.stopping.is_set():
        is_known = await _look(context)
        await asyncio.sleep(_EVERY_S if is_known else _UNKNOWN_EVERY_S)


async def _look(context: AgentContext) -> bool:
    """Show which devices are shared; return whether that is known."""
    archive, bucket = context.settings.archive, context.session.bucket
    if not isinstance(bucket, FileBucket) or not context.board.snapshot.init.postgres_pid:
        return False  # the data directory is still being made
    try:
        archive_parts = await bucket.device()
        pgdata_parts = await asyncio.to_thread(devices.parts, str(context.settings.pgdata))
    except Exception as raised:  # noqa: BLE001 (the gate says what is wrong with the archive)
        problem = classify(raised).problem
        REPEATS.error("archive.device_unknown", problem, problem=problem)
        return False
    shared = devices.shared(archive_parts, pgdata_parts)
    if shared != context.board.snapshot.shared_with:
        context.board.put(shared_with=shared)
        log.info("archive.device", archive=str(archive), shared_with=shared or "nothing")
    if shared and not context.settings.accept_same_device:
        problem = f"{archive} and {shared} are on the same device, and are lost together"
        context.board.fault(Subject.ARCHIVE_DEVICE, Fault(FaultKind.SAME_DEVICE, problem))
    else:
        context.board.clear(Subject.ARCHIVE_DEVICE)
    return True
