"""The last step before a base backup counts: the engine reads it back, configured for a restore."""

from walsup import log
from walsup.agent import leftouts
from walsup.agent.audit.needed import own_segments
from walsup.agent.world import World
from walsup.archive import decryption, enginesees
from walsup.archive.bucket import Bucket
from walsup.archive.catalog import Backup
from walsup.archive.engine import Engine
from walsup.archive.fault import Fault
from walsup.archive.reading import render_reader, trust
from walsup.archive.scratch import scratch_if_room
from walsup.archive.survey import Reader
from walsup.private import write_private

_CONFIG = "engine-reads.json"
_SCRATCH = "reads"


async def unread(world: World, bucket: Bucket, engine: Engine, found: Backup) -> Fault | None:
    """Return why the engine could not restore this base backup; None when it reads it.

    Raises:
        what the bucket raises; OSError: a file cannot be written.
    """
    seen = world.board.snapshot
    known = world.settings
    config = world.run_dir / _CONFIG
    text = render_reader(known, world.run_dir, seen.segment_bytes, bucket.region, engine)
    write_private(config, text)
    try:
        with scratch_if_room(world.run_dir, known.pgdata, seen.segment_bytes, _SCRATCH) as place:
            reader = Reader(
                bucket=bucket,
                engine=engine,
                config=config,
                scratch=place or world.run_dir,
                secrets=tuple(world.secrets()),
                more=trust(known),
            )
            last = own_segments(world, found)[-1]
            archive = str(known.archive)
            reads = not decryption.lacking(known)
            if reads := not decryption.lacking(known):
                fault = await enginesees.fault_of(
                    reader, archive, found, last, room=place is not None
                )
            else:
                fault = await enginesees.fault_of_listing(reader, archive, found)
    finally:
        config.unlink(missing_ok=True)
    fault = fault or await leftouts.incomplete(world, found.name)
    if fault is None:
        world.unreadable.pop(found.name, None)
        log.info("backup.read" if reads else "backup.listed", name=found.name, engine=engine.name)
    else:
        world.unreadable[found.name] = fault.problem
    return fault
