"""The source of a restore as prepare has it: through its bucket, and through an engine."""

import os
from pathlib import Path

from walsup.archive import engine as engines
from walsup.archive.bucket import open_bucket
from walsup.archive.engine import Engine
from walsup.archive.fault import Fault
from walsup.archive.fetching import READER_CONFIG
from walsup.archive.patient import OnFault, Patient
from walsup.archive.reading import DEFAULT_SEGMENT_BYTES, bounded, render_reader, trust
from walsup.archive.survey import Reader
from walsup.errors import EngineError
from walsup.private import write_private
from walsup.settings import Settings, origin


def carrier(source: Settings) -> Engine:
    """Give the engine that reads the source.

    Raises:
        EngineError: there is none, or it cannot read this one.
    """
    found = engines.choose(source, os.environ.get("PATH", ""))
    if isinstance(found, Fault):
        raise EngineError(f"nothing can be restored: {found.problem}", hint=found.cure)
    return bounded(found, source)


def reader(
    known: Settings, run_dir: Path, lock: int, *, own: bool, on_fault: OnFault | None = None
) -> Reader:
    """Give the source of a restore, with the engine's configuration for it rendered."""
    source = origin(known, own=own)
    bucket = open_bucket(source)
    config = run_dir / READER_CONFIG
    chosen = carrier(source)
    text = render_reader(source, run_dir, DEFAULT_SEGMENT_BYTES, source.region, chosen.room)
    write_private(config, text)
    return Reader(
        bucket=Patient(bucket, on_fault) if on_fault else bucket,
        impatient=bucket,
        engine=chosen,
        config=config,
        scratch=run_dir,
        secrets=known.secrets,
        lock=(lock,) if lock >= 0 else (),
        more=trust(source),
        on_fault=on_fault,
    )
