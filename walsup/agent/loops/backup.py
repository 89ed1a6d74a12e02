"""The first base backup: when the database is ready and a first segment is proven."""

import asyncio
import contextlib

from walsup import log, units
from walsup.agent.board import BackupSeen
from walsup.agent.loops.lag import switch
from walsup.agent.world import World
from walsup.archive import catalog, oneshot
from walsup.archive.bucket import Bucket
from walsup.archive.catalog import Backup
from walsup.archive.classify import classify
from walsup.archive.engine import Engine
from walsup.archive.fault import Fault
from walsup.archive.output import classify_output
from walsup.tail import last_lines

_FIRST_RETRY_S = 5.0
_LONGEST_RETRY_S = 60.0
_PROOF_PATIENCE_S = 60.0


async def backup(world: World) -> None:
    """Take one base backup unless the archive has one of this cluster; then rest."""
    if world.bucket is None or isinstance(world.engine, Fault) or world.engine is None:
        await world.stopping.wait()
        return
    attempts = 0
    while not world.stopping.is_set():
        await _until_open(world)
        try:
            done = await _attempt(world, world.bucket, world.engine, attempts)
        except Exception as raised:  # noqa: BLE001 (retried; the fault says why)
            done = classify(raised)
        if done is None:
            world.board.clear("backup")
            await world.stopping.wait()
            return
        attempts += 1
        if not world.stopping.is_set():
            world.board.fault("backup", done)
            seen = world.board.snapshot.backup
            world.board.put(backup=BackupSeen(state="failed", name=seen.name, attempts=attempts))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(
                    units.backoff(attempts, _FIRST_RETRY_S, _LONGEST_RETRY_S)
                ):
                    await world.stopping.wait()


async def _until_open(world: World) -> None:
    while True:
        seen = world.board.snapshot
        if seen.gate.state == "open" and seen.database.accepting and seen.database.timeline:
            return
        await asyncio.sleep(0.1)


async def _attempt(world: World, bucket: Bucket, engine: Engine, attempts: int) -> Fault | None:
    """Give None when a backup of this cluster is proven in the bucket."""
    if found := await _newest(world, bucket):
        return await _prove(world, found)
    if not world.settings.initial_backup:
        world.board.put(backup=BackupSeen(state="none"))
        return None
    world.board.put(backup=BackupSeen(state="waiting for a first segment", attempts=attempts))
    if not await _first_segment(world):
        return Fault(
            kind="timeout",
            problem="no segment has been proven in the bucket yet",
            remedy="see the other faults: pg_backup_stop would wait for the archive for ever",
        )
    world.board.put(backup=BackupSeen(state="running", attempts=attempts))
    log.info("backup.began", engine=engine.name)
    output = world.run_dir / "backup-push.log"
    argv = engine.backup_argv(world.engine_config, world.settings.pgdata)
    code = await oneshot.run(argv, output, cancelled=world.stopping)
    if code != 0:
        text = last_lines(output, world.secrets())
        told = classify_output(text)
        problem = f"{engine.name} backup-push ended with {code}: {told.problem}\n{text}"
        return told._replace(problem=problem)
    if found := await _newest(world, bucket):
        return await _prove(world, found)
    return Fault(
        kind="engine broken",
        problem=f"{engine.name} backup-push said success, but no sentinel is in the bucket",
    )


async def _first_segment(world: World) -> bool:
    """Wait until one segment of this claim is proven; an idle database is helped by a switch."""
    meter = world.meter
    if meter is None:
        return False
    origin = world.board.snapshot.gate.origin_lsn
    for turn in range(round(_PROOF_PATIENCE_S * 4)):
        if meter.mark.end_lsn > origin:
            return True
        if turn == 0 and not meter.has_finished_segments:
            await switch(world)
        if world.stopping.is_set():
            return False
        await asyncio.sleep(0.25)
    return False


async def _newest(world: World, bucket: Bucket) -> Backup | None:
    ours = world.board.snapshot.system_id
    # Before that LSN the archive has a gap, or another writer's WAL.
    since_lsn = world.lease.owner.backups_from if world.lease else 0
    found = [
        backup
        for backup in await catalog.backups(bucket)
        if backup.system_id in (ours, None) and backup.start_lsn >= since_lsn
    ]
    return found[-1] if found else None


async def _prove(world: World, found: Backup) -> Fault | None:
    """A backup counts when the WAL that it needs to become consistent is in the bucket."""
    state = BackupSeen(state="waiting for its WAL", name=found.name, finished_at=found.finished_at)
    world.board.put(backup=state)
    meter = world.meter
    origin = world.board.snapshot.gate.origin_lsn
    for _ in range(round(_PROOF_PATIENCE_S * 4)):
        if meter is None or found.finish_lsn <= max(meter.mark.end_lsn, origin):
            log.info("backup.proven", name=found.name, finished_at=found.finished_at)
            world.board.put(
                backup=BackupSeen(state="proven", name=found.name, finished_at=found.finished_at)
            )
            return None
        if world.stopping.is_set():
            break
        await asyncio.sleep(0.25)
    return Fault(
        kind="hole",
        problem=f"the WAL of backup {found.name} is not in the bucket up to its end",
    )
