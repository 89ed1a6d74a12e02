"""The last check before a base backup counts: the engine reads it, configured for a restore."""

from walsup import log
from walsup.agent.backup import engine_readback, omissions
from walsup.agent.backup.needs import own_segments
from walsup.agent.context import AgentContext
from walsup.archive.catalog.archive_reader import Reader
from walsup.archive.catalog.base_backups import Backup
from walsup.archive.engine import decryption
from walsup.archive.engine.adapter import Engine
from walsup.archive.engine.reader_config import render_reader, trust
from walsup.archive.engine.scratch import scratch_if_room
from walsup.archive.faults import Fault
from walsup.archive.storage.bucket import Bucket
from walsup.system.private_files import write_private

_CONFIG = "engine-reads.json"
_SCRATCH = "reads"


async def unread(
    context: AgentContext,
    bucket: Bucket,
    engine: Engine,
    backup: Backup,
    *,
    is_repeated: bool = False,
) -> Fault | None:
    """Return why the engine could not restore this base backup; None when it reads it.

    `is_repeated`: it was read before; its list of files is not compared with the data directory.

    Raises:
        what the bucket raises; OSError: a file cannot be written.
    """
    snapshot = context.board.snapshot
    settings = context.settings
    config = context.run_dir / _CONFIG
    text = render_reader(settings, context.run_dir, snapshot.segment_bytes, bucket.region, engine)
    write_private(config, text)
    try:
        with scratch_if_room(
            context.run_dir, settings.pgdata, snapshot.segment_bytes, _SCRATCH
        ) as place:
            reader = Reader(
                bucket=bucket,
                engine=engine,
                config=config,
                scratch=place or context.run_dir,
                secrets=tuple(context.secrets()),
                more=trust(settings),
            )
            last = own_segments(context, backup)[-1]
            archive = str(settings.archive)
            reads = not decryption.lacking(settings)
            if reads:
                fault = await engine_readback.fault_of(
                    reader, archive, backup, last, room=place is not None
                )
            else:
                fault = await engine_readback.fault_of_listing(reader, archive, backup)
    finally:
        config.unlink(missing_ok=True)
    if fault is None and not is_repeated:
        fault = await omissions.incomplete(context, backup.name)
    if fault is None:
        context.session.unreadable.pop(backup.name, None)
        log.info("backup.read" if reads else "backup.listed", name=backup.name, engine=engine.name)
    else:
        context.session.unreadable[backup.name] = fault.problem
    return fault
