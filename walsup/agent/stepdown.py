"""Who finds that another has become the primary does not go on as one (S19).

Only a start can change what a directory is: the container is ended, and prepare decides anew.
"""

from walsup import log
from walsup.agent import daemons
from walsup.agent.world import World
from walsup.archive import ranking
from walsup.archive.bucket import Bucket
from walsup.archive.classify import classify
from walsup.archive.engine import DEFAULT_COMPRESSION, Engine
from walsup.archive.fault import Fault
from walsup.archive.rank import Neither, Rank, Stay, StepDown
from walsup.archive.survey import Reader
from walsup.errors import ArchiveError, DataDirectoryError
from walsup.postgres import memory, standing
from walsup.postgres.wal import show_lsn


async def step_down(world: World, fault: Fault) -> None:
    """End a primary whose archive another has taken over, where its role allows it."""
    known = world.settings
    if known.role == "primary" or fault.kind != "not the owner" or world.stopping.is_set():
        return
    if standing.is_standby(known.pgdata) or world.bucket is None:
        return
    match await _ask(world, world.bucket):
        case StepDown(timeline=timeline, fork_lsn=fork_lsn):
            log.warning("role.lost", timeline=timeline, left_at=show_lsn(fork_lsn))
            world.pid1.end(
                "another instance is the primary now, on timeline"
                f" {timeline}; this one is built anew as its standby at its next start",
                DataDirectoryError.exit_code,
            )
        case _:
            return


async def become_sure(world: World, bucket: Bucket) -> None:
    """End a start that is read-only for want of an answer, when there is one."""
    if not memory.is_unsure(world.settings.pgdata):
        return
    match await _ask(world, bucket):
        case Stay(why=why):
            what = f"the archive says that this is the primary: {why}"
        case StepDown():
            what = "the archive says that another is the primary"
        case Neither(problem=problem):
            world.board.fault("role", Fault("not following", problem))
            return
        case None:
            return
    log.info("role.sure", why=what)
    world.pid1.end(f"{what}; it is started as what it is", ArchiveError.exit_code)


async def _ask(world: World, bucket: Bucket) -> Rank | None:
    carrier = world.engine
    if not isinstance(carrier, Engine):
        return None
    try:
        daemons.render(world, world.settings.compression or DEFAULT_COMPRESSION[carrier.name])
        reader = Reader(
            bucket=bucket, engine=carrier, config=world.engine_config, scratch=world.run_dir
        )
        own = ranking.own(world.settings.pgdata, str(world.settings.archive))
        return await ranking.ask(reader, own)
    except Exception as raised:  # noqa: BLE001 (asked again with the next look)
        log.info("role.not_asked", problem=classify(raised).problem)
        return None
