"""The configuration of an engine that only reads, separate from the archive's."""

from pathlib import Path

from walsup.archive.engine import adapter
from walsup.archive.engine.memory_budget import share
from walsup.postgres.config_sizes import shared_buffers_bytes
from walsup.settings import Settings
from walsup.system.cgroup import memory_limit_bytes

DEFAULT_SEGMENT_BYTES = 16 << 20


def bounded(engine: adapter.Engine, source: Settings) -> adapter.Engine:
    """Return the engine with the memory that it may take beside a postgres in recovery."""
    wanted = source.passed_on.get("WALG_DOWNLOAD_CONCURRENCY", "")
    buffers_bytes = shared_buffers_bytes(None)
    room = share(engine.name, memory_limit_bytes(), buffers_bytes, wanted)
    return engine._replace(room=room)


def render_reader(
    source: Settings,
    run_dir: Path,
    segment_bytes: int,
    region: str | None,
    engine: adapter.Engine,
) -> str:
    """Return the configuration for a source, with as many parallel downloads as uploads. Pure."""
    passed_on = {"WALG_DOWNLOAD_CONCURRENCY": str(engine.room.uploads), **source.passed_on}
    return adapter.render(
        source._replace(region=region, passed_on=passed_on),
        engine=engine.name,
        compression=adapter.DEFAULT_COMPRESSION["walrus"],
        socket_dir=str(run_dir),
        port=source.pgport or 5432,
        segment_bytes=segment_bytes,
        room=engine.room,
    )


def trust(source: Settings) -> dict[str, str]:
    """Return the variables that make an engine trust the source's CA."""
    return {"SSL_CERT_FILE": str(source.ca_file)} if source.ca_file else {}
