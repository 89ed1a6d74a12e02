"""The configuration of an engine that only reads: a rendering of its own, never the archive's."""

from pathlib import Path

from walsup.archive import engine
from walsup.settings import Settings

DEFAULT_SEGMENT_BYTES = 16 << 20
_DOWNLOADS = "4"  # at once; measured as fast as more, with less memory


def render_reader(source: Settings, run_dir: Path, segment_bytes: int, region: str | None) -> str:
    """Give the configuration for a source. Pure."""
    passed_on = {"WALG_DOWNLOAD_CONCURRENCY": _DOWNLOADS, **source.passed_on}
    return engine.render(
        source._replace(region=region, passed_on=passed_on),
        compression=engine.DEFAULT_COMPRESSION["walrus"],
        socket_dir=str(run_dir),
        port=source.pgport or 5432,
        segment_bytes=segment_bytes,
    )


def trust(source: Settings) -> dict[str, str]:
    """Give the variables that make an engine trust the source's CA."""
    return {"SSL_CERT_FILE": str(source.ca_file)} if source.ca_file else {}
